"""Numbers in words."""

import re
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
