"""Trouble, and the words for it.

There are three roads, never mixed. A caller's mistake raises one of the errors below. Nature's answer (no spike, too
noisy) is a status: :data:`OK`, or a sentence, and then the number beside it is NaN. Anything unforeseen in a batch
becomes an error row of that experiment.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from math import inf
from typing import Final

OK: Final = "ok"
"""The status of a result that holds. Any other status is a sentence that says why the number is NaN."""


LEVELS: Final = (0.5, 0.9999)
"""Confidence levels that an interval can be given at."""

RESAMPLES: Final = (100, 1_000_000)
"""Bootstrap samples: fewer give no interval, more do not fit into memory."""


class EphysplastError(Exception):
    """A mistake the user can mend: what failed, what was got, what was wanted, what to do.

    Parameters
    ----------
    what : str
        What could not be done, as a sentence without a full stop.
    got, wanted, remedy : str, optional
        The three things somebody needs to mend it.

    Examples
    --------
    >>> print(EphysplastError("cannot measure an EPSC", got="current clamp", wanted="voltage clamp",
    ...                       remedy="set response to EPSP in the manifest"))
    cannot measure an EPSC. Got: current clamp. Wanted: voltage clamp. To do: set response to EPSP in the manifest.
    """

    def __init__(self, what: str, *, got: str = "", wanted: str = "", remedy: str = "") -> None:
        self.what, self.got, self.wanted, self.remedy = what, got, wanted, remedy
        said = {"Got": got, "Wanted": wanted, "To do": remedy}
        parts = [what, *(f"{word}: {text}" for word, text in said.items() if text)]
        super().__init__(" ".join(part if part.endswith("?") else f"{part.rstrip('.')}." for part in parts))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the four parts when the error crosses from a worker process to the batch."""
        return _rebuild, (type(self), self.what, self.got, self.wanted, self.remedy)


class FileFormatError(EphysplastError):
    """The file is missing, damaged, or not of a format that can be read."""


class ChannelError(EphysplastError):
    """The channel does not exist, or its unit or clamp forbids the measurement."""


class WindowError(EphysplastError):
    """A time window that does not lie inside the sweeps it is asked of."""


class ManifestError(EphysplastError):
    """The manifest has a missing column, an unknown value or a phase without sweeps."""


class SettingsError(EphysplastError):
    """A setting that does not exist or has an impossible value."""


def near_names(name: str, known: Iterable[str]) -> str:
    """Suggest what a misspelt name may have meant.

    Parameters
    ----------
    name : str
        What was written.
    known : iterable of str
        What would have worked.

    Returns
    -------
    str
        ``"did you mean 'x'?"``, or the list of what exists when nothing is near.

    Examples
    --------
    >>> near_names("basline_s", ["baseline_s", "peak_s"])
    "did you mean 'baseline_s'?"
    >>> near_names("q", ["a", "b"])
    'choose one of: a, b'
    """
    names = list(known)
    lowered = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), list(lowered), n=2, cutoff=0.6)
    if near:
        return "did you mean " + " or ".join(f"'{lowered[each]}'" for each in near) + "?"
    return "choose one of: " + ", ".join(names)


def check_settings(config: object, **limits: tuple[float, float]) -> None:
    """Refuse a setting that lies outside its limits, or is not a number.

    Parameters
    ----------
    config : object
        Holds the settings as attributes.
    **limits : (float, float)
        Setting → smallest and largest value allowed.

    Raises
    ------
    SettingsError
        For the first that is not possible, by its name.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check_settings(SimpleNamespace(level=2.0), level=(0.5, 0.999))
    Traceback (most recent call last):
    ephysplast.errors.SettingsError: the setting level is not possible. Got: 2.0. Wanted: 0.5 to 0.999.
    """
    for name, (low, high) in limits.items():
        value = getattr(config, name)
        if not low <= value <= high:
            wanted = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
            raise SettingsError(f"the setting {name} is not possible", got=str(value), wanted=wanted)


def _rebuild(kind: type[EphysplastError], what: str, got: str, wanted: str, remedy: str) -> EphysplastError:
    return kind(what, got=got, wanted=wanted, remedy=remedy)
