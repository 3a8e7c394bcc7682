"""From the readings of the indices to one answer: two must agree, none may contradict."""

from dataclasses import dataclass
from math import isfinite, nan

from ephysplast._words import listed as _and
from ephysplast.classify.indices import Direction, Reading
from ephysplast.verdict import Evidence, Locus

_CONTENT = ("CV⁻²", "CV⁻² of later pulses", "failures")
_PATTERN = ("PPR", "redistribution")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """An index as evidence, with what combining it needs to know besides."""

    evidence: Evidence
    vetoes_post: bool = False
    beyond_sites: bool = False

    @classmethod
    def of(cls, index: str, reading: Reading, numbers: str) -> "Judgement":
        """Put a reading into words; ``{}`` in `numbers` is where its value and interval go."""
        value, (low, high) = reading.value, reading.interval
        said = f" {numbers}".format(f"{value:.2f} [{low:.2f}, {high:.2f}]")
        if not (isfinite(value) and low <= high):
            value, low, high, said = nan, nan, nan, ""
        evidence = Evidence(
            index=index,
            value=value,
            low=low,
            high=high,
            points_to=reading.points_to,
            sentence=f"{index}{said}: {reading.why}",
        )
        return cls(evidence=evidence, vetoes_post=reading.vetoes_post, beyond_sites=reading.beyond_sites)

    @classmethod
    def unavailable(cls, index: str, reason: str) -> "Judgement":
        """Say that an index is not to be had, and why."""
        return cls(
            evidence=Evidence(index=index, points_to="not available", sentence=f"{index} not available: {reason}")
        )


def combine(
    judgements: tuple[Judgement, ...], *, direction: Direction, release_excluded: bool, pattern_factor: float = 1.0
) -> tuple[Locus, str]:
    """Give the locus that the indices agree on, and why.

    Parameters
    ----------
    judgements : tuple of Judgement
        One per index.
    direction : {1, -1}
        Whether the response grew or shrank, for the words.
    release_excluded : bool
        CV⁻² of all pulses together excludes a change of release, at a stricter level than each index.
    pattern_factor : float
        Two indices of quantal content may agree on *post* among themselves when the pattern within a sweep, though not
        known to be unchanged, is known to have changed by less than this factor; 1 never lets them.

    Returns
    -------
    locus : {"pre", "post", "undetermined"}
        *post*: an index of quantal content (CV⁻², failures) stayed where release would have moved it, a second index
        agrees, and the pattern of responses within a sweep did not change. *pre*: the pattern within a sweep changed
        as release probability changes it, and an index of quantal content moved along; without a second pulse, both
        CV⁻² and failures moved, and further than new or unsilenced sites could move them.
    sentence : str
        Names what agrees and what contradicts.
    """
    pre = [each.evidence.index for each in judgements if each.evidence.points_to == "pre"]
    post = [each.evidence.index for each in judgements if each.evidence.points_to == "post"]
    veto = [each.evidence.index for each in judgements if each.vetoes_post and each.evidence.index not in pre]
    if pre and post:
        return "undetermined", _contradiction(pre, post, veto)
    if post:
        doubts = _doubts(judgements, release_excluded=release_excluded, pattern_factor=pattern_factor)
        return _post(post, veto, doubts)
    if pre:
        return _pre(pre, veto, judgements, direction)
    if veto:
        return "undetermined", f"undetermined: {_and(veto)} changed in a way that speaks against quantal size alone"
    return "undetermined", "undetermined: no index is clear enough"


def _doubts(judgements: tuple[Judgement, ...], *, release_excluded: bool, pattern_factor: float) -> str:
    """Say what forbids *post* although indices of quantal content point there; empty when nothing does."""
    patterns = [each.evidence for each in judgements if each.evidence.index in _PATTERN]
    available = [each for each in patterns if each.points_to != "not available"]
    unchanged = any(each.points_to == "post" for each in available)
    near = all(1.0 / pattern_factor < each.low and each.high < pattern_factor for each in available)
    if available and not (unchanged or near):
        return f"{_and([each.index for each in available])} cannot be called unchanged"
    return "" if release_excluded else "CV⁻² of all responses together leaves room for a change of release"


def _post(post: list[str], veto: list[str], doubts: str) -> tuple[Locus, str]:
    content = [each for each in post if each in _CONTENT]
    if veto:
        return "undetermined", f"undetermined: {_and(post)} {_verb(post, 'point')} to post, but {_and(veto)} changed"
    if not content:
        return "undetermined", f"undetermined: {_and(post)} unchanged, which fits quantal size and release sites alike"
    if len(post) < 2:
        return "undetermined", f"undetermined: {post[0]} alone suggests a postsynaptic change"
    if doubts:
        return "undetermined", f"undetermined: {_and(post)} suggest a postsynaptic change, but {doubts}"
    return "post", f"post: {_and(post)} agree that release did not change; a smaller share of release is not excluded"


def _pre(pre: list[str], veto: list[str], judgements: tuple[Judgement, ...], direction: Direction) -> tuple[Locus, str]:
    pattern = [each for each in pre if each in _PATTERN]
    content = [each for each in pre if each in _CONTENT]
    change = "rose" if direction > 0 else "fell"
    if pattern and content:
        return "pre", f"pre: {_and(pre)} agree that release probability {change}; a postsynaptic share is not excluded"
    further = [each.evidence.index for each in judgements if each.beyond_sites and each.evidence.index in content]
    tried = [each for each in judgements if each.evidence.index in _PATTERN]
    if all(each.evidence.points_to == "not available" for each in tried) and further and len(content) > 1:
        return "pre", f"pre: {_and(content)} agree, and {_and(further)} moved further than release sites could move it"
    if content and veto:
        return (
            "undetermined",
            f"undetermined: {_and(content)} {_verb(content, 'suggest')} a change of release, but "
            f"{_and(veto)} moved against the usual direction, as at facilitating synapses of low release probability",
        )
    if content:
        more = "unsilenced" if direction > 0 else "silenced"
        return (
            "undetermined",
            f"undetermined: {_and(content)} {_verb(content, 'suggest')} a change of release, "
            f"but {more} synapses would look the same without a change of PPR",
        )
    return (
        "undetermined",
        f"undetermined: {_and(pattern)} alone {_verb(pattern, 'suggest')} a change of release probability",
    )


def _contradiction(pre: list[str], post: list[str], veto: list[str]) -> str:
    sentence = f"undetermined: {_and(pre)} {_verb(pre, 'point')} to pre, but {_and(post)} to post"
    if veto:
        return f"{sentence}, and {_and(veto)} changed in a way that speaks against quantal size alone"
    if all(each in _CONTENT for each in pre) and all(each in _PATTERN for each in post):
        return f"{sentence}: together they fit a change in the number of active sites, such as silent synapses"
    return sentence


def _verb(names: list[str], verb: str) -> str:
    return verb if len(names) > 1 else f"{verb}s"
