"""Numbers and lists in words."""

import re
from collections.abc import Sequence
from math import isfinite
from typing import Final

_NEGATIVE: Final = re.compile(r"-(?=[\d∞])")
_WHOLE: Final = 100.0


def minus(text: str) -> str:
    """Write the negative numbers of a text with a true minus sign; hyphens between words stay.

    Examples
    --------
    >>> minus("half-width at -70.5 mV")
    'half-width at −70.5 mV'
    """
    return _NEGATIVE.sub("−", text)


def number(value: float, decimals: int | None = None, *, sign: bool = False) -> str:
    """Write a number with a true minus sign: with so many decimals, or with three digits, whole from 100 on.

    Examples
    --------
    >>> [number(each) for each in (0.05678, -70.51, 999.7, 12345.6, float("inf"))]
    ['0.0568', '−70.5', '1000', '12346', '∞']
    >>> number(4.2, 1, sign=True), number(-0.04, 1, sign=True)
    ('+4.2', '0.0')
    """
    if decimals is None and isfinite(value) and abs(value) >= _WHOLE:
        decimals = 0
    rounded = value if decimals is None or not isfinite(value) else round(value, decimals) + 0.0
    written = f"{rounded:{'+' if sign and rounded else ''}{'.3g' if decimals is None else f'.{decimals}f'}}"
    return minus(written.replace("inf", "∞"))


def listed(names: Sequence[str]) -> str:
    """Write a list as people do.

    Examples
    --------
    >>> listed(["CV⁻²"]), listed(["CV⁻²", "PPR"]), listed(["CV⁻²", "failures", "PPR"])
    ('CV⁻²', 'CV⁻² and PPR', 'CV⁻², failures and PPR')
    """
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
