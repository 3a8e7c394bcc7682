"""Every rule of the package, as a plain tuple; a rule of your own needs no entry here."""

from difflib import get_close_matches
from typing import Final

from ephysplast.errors import SettingsError, near_names
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.rules.anti_hebbian import ANTI_HEBBIAN_RULES
from ephysplast.simulator.rules.chloride import CHLORIDE_RULES
from ephysplast.simulator.rules.delayed import DELAYED_RULES
from ephysplast.simulator.rules.graupner_brunel import GRAUPNER_BRUNEL_RULES
from ephysplast.simulator.rules.intrinsic import INTRINSIC_RULES
from ephysplast.simulator.rules.pair import PAIR_RULES
from ephysplast.simulator.rules.pre_post import PRE_POST_RULES
from ephysplast.simulator.rules.symmetric import SYMMETRIC_RULES
from ephysplast.simulator.rules.triplet import TRIPLET_RULES

RULES: Final = (
    *PAIR_RULES,
    *TRIPLET_RULES,
    *GRAUPNER_BRUNEL_RULES,
    *PRE_POST_RULES,
    *SYMMETRIC_RULES,
    *DELAYED_RULES,
    *CHLORIDE_RULES,
    *ANTI_HEBBIAN_RULES,
    *INTRINSIC_RULES,
)
"""The rules that have a name."""


def find_rule(name: str) -> Rule:
    """Return the rule of that name.

    Raises
    ------
    SettingsError
        If there is none; near names are offered.

    Examples
    --------
    >>> find_rule("vogels").parameter("tau_ms").value
    20.0
    >>> find_rule("vogel")
    Traceback (most recent call last):
    ephysplast.errors.SettingsError: there is no rule 'vogel'. To do: did you mean 'vogels'?
    """
    known = {each.name: each for each in RULES}
    if name not in known:
        raise SettingsError(f"there is no rule '{name}'", remedy=_near_rules(name))
    return known[name]


def _near_rules(name: str) -> str:
    """Offer near names; for the name of a family its members, for anything else the families."""
    names = [each.name for each in RULES]
    begins = sorted({each.split("_")[0] for each in names})
    whole = [] if name.lower() in begins else get_close_matches(name.lower(), names, n=1)
    near = whole or get_close_matches(name.lower().split("_")[0], begins, n=1)
    if near and near[0] in names:
        return near_names(name, names)
    if near:
        return f"did you mean one of: {', '.join(each for each in names if each.split('_')[0] == near[0])}?"
    return f"choose a name that begins with: {', '.join(begins)}"
