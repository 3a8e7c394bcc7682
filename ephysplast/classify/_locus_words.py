"""The locus in words: the answer, what is not excluded, and whether the classical indices agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Final, Literal

from ephysplast._words import listed
from ephysplast.classify.classical import IndicesResult
from ephysplast.verdict import Locus, ReleaseEstimate

_CEILING = 0.85
"""From this release probability on, more release is hardly possible and does not show."""

_GAIN = 0.2
"""The gain of a recording changes less than this."""

_NAMED = 0.02
"""An alternative that is likelier than this is named."""

_TWO_DIGITS = 99.5
"""From here on two digits would need an exponent."""

LOCI_IN_WORDS: Final[Mapping[str, str]] = {
    "p": "release probability",
    "n": "the number of active sites",
    "q": "quantal amplitude",
    "p+q": "both ends at once",
    "chloride": "the driving force alone",
}
"""Hypotheses of the posterior as people say them."""

_ANSWERS: Final[dict[str, str]] = {
    "pre": "release probability changed",
    "pre-or-silent": "release changed, by release probability or by the number of active sites",
    "post": "quantal amplitude changed",
    "chloride": "the driving force changed, and nothing else",
    "post-or-chloride": "quantal amplitude changed, by the receptors or by the driving force",
    "mixed": "release probability and quantal amplitude both changed",
}

_PRE: Final = ("pre", "pre-or-silent")
_POST: Final = ("post", "post-or-chloride", "chloride")


@dataclass(frozen=True, eq=False, kw_only=True)
class Said:
    """All that is put into words."""

    locus: Locus
    probabilities: dict[str, float]
    threshold: float
    release: tuple[ReleaseEstimate, ...]
    classical: IndicesResult
    pulses: str
    chloride: str
    quantal_size: str = ""


def agreement(said: Said) -> Literal["agree", "silent", "opposed"]:
    """Whether the classical indices, where two of them agree, say the same end of the synapse."""
    sides = {"pre": _PRE, "post": _POST}
    theirs = sides.get(said.classical.locus)
    if theirs is None or said.locus in ("undetermined", "mixed"):
        return "silent"
    return "agree" if said.locus in theirs else "opposed"


def answer_in_words(said: Said) -> str:
    """Write the whole sentence."""
    circumstances = (said.pulses, said.chloride, said.quantal_size)
    parts = [_answer(said), _numbers(said), *_alternatives(said), *circumstances, _indices(said)]
    return "; ".join(filter(None, parts))


def _answer(said: Said) -> str:
    listed = ", ".join(f"{name} {probability_in_words(value)}" for name, value in said.probabilities.items())
    if agreement(said) == "opposed":
        theirs = said.classical.sentence
        return f"undetermined: the posterior says {said.locus} ({listed}), but the classical indices say {theirs}"
    if said.locus == "undetermined":
        likeliest = LOCI_IN_WORDS[max(said.probabilities, key=lambda name: said.probabilities[name])]
        return f"undetermined: no locus reaches probability {said.threshold:g} (the likeliest is {likeliest}; {listed})"
    return f"{said.locus}: {_ANSWERS[said.locus]} ({listed})"


def probability_in_words(value: float) -> str:
    """Write a probability; what is nearly certain is not made certain by rounding.

    Examples
    --------
    >>> [probability_in_words(each) for each in (0.9999, 0.914, 1e-9)]
    ['>0.99', '0.91', '<0.01']
    """
    if value > 0.995:
        return ">0.99"
    return "<0.01" if value < 0.005 else f"{value:.2f}"


def _numbers(said: Said) -> str:
    """Give n, p and q of the likeliest locus."""
    best = _likeliest(said)
    if not isfinite(best.n_before.value):
        return ""
    found = []
    for name, before, after in (
        ("n", best.n_before, best.n_after),
        ("p", best.p_before, best.p_after),
        ("q", best.q_before, best.q_after),
    ):
        # Where q did not change, it differs by the gain of the recording alone, which is no finding.
        near = _GAIN if name == "q" and best.locus in ("p", "n") else 1e-6
        same = abs(after.value - before.value) <= near * abs(before.value)
        found.append(f"{name} {_two_digits(before.value)}" + ("" if same else f" → {_two_digits(after.value)}"))
    what = "the driving force" if _is_chloride(said) else best.locus
    return f"if {what} changed: {', '.join(found)}"


def _is_chloride(said: Said) -> bool:
    return max(said.probabilities, key=lambda name: said.probabilities[name]) == "chloride"


def _likeliest(said: Said) -> ReleaseEstimate:
    """Return n, p and q of the likeliest locus; the driving force moves quantal amplitude, so it has those of q."""
    if _is_chloride(said):
        return next(each for each in said.release if each.locus == "q")
    return max(said.release, key=lambda each: each.probability)


def _two_digits(value: float) -> str:
    return f"{value:.2g}" if abs(value) < _TWO_DIGITS else f"{value:.0f}"


def _alternatives(said: Said) -> list[str]:
    found = []
    grows = _grows(said)
    silent = "silent synapses that woke" if grows else "synapses that fell silent"
    if said.locus == "pre-or-silent":
        found.append(f"{silent} would look the same as new or lost release sites")
    elif said.locus == "pre" and said.probabilities["n"] > _NAMED:
        found.append(f"{silent} are not excluded ({probability_in_words(said.probabilities['n'])})")
    best = _likeliest(said)
    highest = max(best.p_before.value, best.p_after.value)
    if highest > _CEILING:
        found.append(
            f"release is near saturation (p {highest:.2f}), where a further rise of it would not show, and where sites "
            "that release several vesicles onto saturated receptors look like ones that release one"
        )
    return found


def _grows(said: Said) -> bool:
    best = _likeliest(said)
    before, after = (
        each[0].value * each[1].value * each[2].value
        for each in ((best.n_before, best.p_before, best.q_before), (best.n_after, best.p_after, best.q_after))
    )
    return bool(after >= before)


def _indices(said: Said) -> str:
    """Say which indices agree with the answer, which contradict it, and that the rest say nothing."""
    if agreement(said) == "opposed":
        return ""
    own: tuple[str, ...] = ("pre",) if said.locus in _PRE else ("post",) if said.locus in _POST else ()
    pointing = [each for each in said.classical.evidence if each.points_to in ("pre", "post")]
    if not pointing:
        return "no classical index is clear"
    if not own:
        return "of the classical indices " + ", ".join(f"{each.index} points to {each.points_to}" for each in pointing)
    agree = [each.index for each in pointing if each.points_to in own]
    against = [each.index for each in pointing if each.points_to not in own]
    words = [f"{listed(agree)} {'agrees' if len(agree) == 1 else 'agree'}"] if agree else []
    words += [f"{listed(against)} alone {'contradicts' if len(against) == 1 else 'contradict'} it"] if against else []
    return ", ".join(words)
