"""Numbers and lists in words."""

import re
from collections.abc import Sequence
from typing import Final

_NEGATIVE: Final = re.compile(r"-(?=[\d∞])")


def minus(text: str) -> str:
    """Write the negative numbers of a text with a true minus sign; hyphens between words stay.

    Examples
    --------
    >>> minus("half-width at -70.5 mV")
    'half-width at −70.5 mV'
    """
    return _NEGATIVE.sub("−", text)


def listed(names: Sequence[str]) -> str:
    """Write a list as people do.

    Examples
    --------
    >>> listed(["CV⁻²"]), listed(["CV⁻²", "PPR"]), listed(["CV⁻²", "failures", "PPR"])
    ('CV⁻²', 'CV⁻² and PPR', 'CV⁻², failures and PPR')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
