"""Where a change of synaptic strength lives: release probability, sites, quantal size, conductance.

A rule that knows only a weight says nothing about where that weight is. An :class:`Expression` does, and it is chosen
apart from the rule.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from ephysplast.errors import SettingsError, near_names
from ephysplast.recording import FloatArray


@dataclass(frozen=True, kw_only=True)
class ExpressionVariable:
    """One quantity that a protocol can change.

    Attributes
    ----------
    name : str
        Field of :class:`~ephysplast.simulator.SimulationResult`.
    unit : str
        Unit of the change; empty for a fraction of the baseline.
    meaning : str
        For people.
    """

    name: str
    unit: str
    meaning: str


VARIABLES: Final = (
    ExpressionVariable(name="p", unit="", meaning="release probability, fraction of baseline"),
    ExpressionVariable(name="n", unit="", meaning="number of release sites, fraction of baseline"),
    ExpressionVariable(name="q", unit="", meaning="quantal size, fraction of baseline"),
    ExpressionVariable(name="g", unit="", meaning="conductance of an inhibitory synapse, fraction of baseline"),
    ExpressionVariable(name="e_gaba_mv", unit="mV", meaning="reversal potential of GABA_A currents"),
    ExpressionVariable(name="rheobase_pa", unit="pA", meaning="rheobase of the postsynaptic cell"),
    ExpressionVariable(name="gain_hz_per_pa", unit="Hz/pA", meaning="f–I gain of the postsynaptic cell"),
    ExpressionVariable(name="threshold_mv", unit="mV", meaning="spike threshold of the postsynaptic cell"),
    ExpressionVariable(name="rin_mohm", unit="MΩ", meaning="input resistance of the postsynaptic cell"),
)
"""Everything a rule can change; a rule's own ``w`` becomes some of them by its expression."""

_STRENGTH: Final = ("p", "n", "q", "g")


@dataclass(frozen=True, kw_only=True)
class Expression:
    """How a change of weight is shared out between p, n, q and g.

    A weight that becomes ``W`` times its baseline makes each of them ``W ** share`` times its own, so that their
    product is ``W`` exactly. A change of p says nothing of p itself: whoever applies it must keep p ≤ 1.

    Attributes
    ----------
    name : str
        For people and the command line.
    p, n, q, g : float
        Shares; they add up to 1.

    Examples
    --------
    >>> {name: each.round(3).tolist() for name, each in find_expression("pre and post").split(np.array([0.44])).items()}
    {'p': [0.2], 'q': [0.2]}
    """

    name: str
    p: float = 0.0
    n: float = 0.0
    q: float = 0.0
    g: float = 0.0

    def __post_init__(self) -> None:
        """Refuse shares that are no shares."""
        shares = [getattr(self, each) for each in _STRENGTH]
        if min(shares) < 0.0 or abs(sum(shares) - 1.0) > 1e-9:
            raise SettingsError(
                f"the shares of the expression '{self.name}' do not add up to 1",
                got=", ".join(f"{name} {share:g}" for name, share in zip(_STRENGTH, shares, strict=True)),
                wanted="shares of p, n, q and g from 0 to 1",
            )

    def split(self, change: FloatArray) -> dict[str, FloatArray]:
        """Share out fractional changes of weight (−1 or more).

        Parameters
        ----------
        change : numpy.ndarray
            ``W − 1``, any shape.

        Returns
        -------
        dict of str to numpy.ndarray
            Variable → its fractional change, same shape; only those with a share.
        """
        shares = {name: float(getattr(self, name)) for name in _STRENGTH if getattr(self, name) > 0.0}
        return {
            name: change if share == 1.0 else np.maximum(1.0 + change, 0.0) ** share - 1.0
            for name, share in shares.items()
        }


PRESYNAPTIC: Final = Expression(name="presynaptic", p=1.0)
SITES: Final = Expression(name="sites", n=1.0)
POSTSYNAPTIC: Final = Expression(name="postsynaptic", q=1.0)
PRE_AND_POST: Final = Expression(name="pre and post", p=0.5, q=0.5)
CONDUCTANCE: Final = Expression(name="conductance", g=1.0)
EXPRESSIONS: Final = (PRESYNAPTIC, SITES, POSTSYNAPTIC, PRE_AND_POST, CONDUCTANCE)
"""The expressions that have a name; make an :class:`Expression` for any other mixture."""


def find_expression(name: str) -> Expression:
    """Return the expression of that name.

    Raises
    ------
    SettingsError
        If there is none; near names are offered.

    Examples
    --------
    >>> find_expression("presynaptic").p
    1.0
    """
    known = {each.name: each for each in EXPRESSIONS}
    if name not in known:
        raise SettingsError(f"there is no expression '{name}'", remedy=near_names(name, known))
    return known[name]
