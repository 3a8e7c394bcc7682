"""The verdict in words that fit their panel."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from ephysplast._words import minus, number
from ephysplast.errors import OK
from ephysplast.plotting.style import (
    FONT,
    GREY,
    INK,
    LINE_PITCH,
    RED,
    SMALL_PT,
    TEXT_PT,
    phase_colour,
    plain,
    size_pt,
    wrap,
)
from ephysplast.verdict import Locus, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOCUS_WORDS: Final[Mapping[Locus, str]] = {
    "pre": "presynaptic",
    "pre-or-silent": "presynaptic or silent synapses",
    "post": "postsynaptic",
    "chloride": "driving force (chloride)",
    "post-or-chloride": "postsynaptic or driving force",
    "mixed": "pre- and postsynaptic",
    "undetermined": "undetermined",
    "not asked": "not asked",
}
"""The answers of :attr:`Verdict.locus` as people say them."""
Part: TypeAlias = Literal["all", "answer", "reasons"]
"""What of a verdict is written: sign and locus with their sentences, evidence and gates, or all of it."""

_CELL_SIGNS: Final = {
    "up": "Excitability up",
    "down": "Excitability down",
    "both": "E_GABA shift and conductance change",
    "not asked": "One phase: no comparison",
}
"""Signs that say too little alone."""
_SMALLEST: Final = 0.6
"""Text is made smaller down to this share before anything is left out."""


@dataclass(frozen=True, kw_only=True)
class _Line:
    text: str
    size: float
    weight: str
    colour: str
    indent: float
    above: float


def draw_verdict(axes: "Axes", verdict: Verdict, *, locus: bool = True, part: Part = "all") -> None:
    """Write the verdict: sign, change with interval, locus, the evidence of each index, what the gates found.

    The text is wrapped to the axes as it stands, and made smaller if it would not fit. If it still does not, the last
    line says so.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to write.
    verdict : Verdict
        What to say.
    locus : bool
        Say it too when pre or post was not asked; of the cell itself it never is.
    part : {"all", "answer", "reasons"}
        *answer*: sign and locus with their sentences; *reasons*: evidence and gates; for two columns of text.
    """
    axes.set_axis_off()
    width, height = size_pt(axes)
    scale = 1.0
    while _height(lines := _lines(verdict, width, scale, locus=locus, part=part)) > height and scale > _SMALLEST:
        scale -= 0.05
    lines = _cut(lines, height)
    y = 0.0
    for line in lines:
        y += line.above + line.size * LINE_PITCH
        axes.annotate(
            plain(line.text),
            xy=(0, 1),
            xycoords="axes fraction",
            xytext=(line.indent, 0.25 * line.size - y),
            textcoords="offset points",
            ha="left",
            va="baseline",
            fontsize=line.size,
            fontweight=line.weight,
            fontfamily=FONT,
            color=line.colour,
        )


def verdict_height_pt(verdict: Verdict, *, width_pt: float, locus: bool = True, part: Part = "all") -> float:
    """Return how high a panel of this width must be to hold the verdict at full size, in points."""
    return _height(_lines(verdict, width_pt, 1.0, locus=locus, part=part))


def _height(lines: list[_Line]) -> float:
    return sum(each.above + each.size * LINE_PITCH for each in lines)


def _cut(lines: list[_Line], height: float) -> list[_Line]:
    if _height(lines) <= height:
        return lines
    size = lines[-1].size
    more = _Line(
        text="… (all of it stands in the tables)", size=size, weight="normal", colour=RED, indent=0.0, above=0.0
    )
    while lines and _height([*lines, more]) > height:
        lines = lines[:-1]
    return [*lines, more]


def _lines(verdict: Verdict, width: float, scale: float, *, locus: bool, part: Part) -> list[_Line]:
    """Break the paragraphs into lines of this width, at `scale` of their full size."""
    lines: list[_Line] = []
    for text, size, weight, colour, indent, above in _paragraphs(verdict, locus=locus, part=part):
        pieces = wrap(minus(text), width_pt=width - indent, size_pt=size * scale, weight=weight)
        lines += [
            _Line(
                text=piece,
                size=size * scale,
                weight=weight,
                colour=colour,
                indent=indent,
                above=0.0 if i or not lines else above * scale,
            )
            for i, piece in enumerate(pieces)
        ]
    return lines


_Paragraph = tuple[str, float, str, str, float, float]


def _paragraphs(verdict: Verdict, *, locus: bool, part: Part) -> Iterator[_Paragraph]:
    """Yield text, size, weight, colour, indent and room above."""
    if part != "reasons":
        yield from _answer(verdict, locus=locus)
    if part != "answer":
        yield from _evidence(verdict)
        yield from _quality(verdict)


def _answer(verdict: Verdict, *, locus: bool) -> Iterator[_Paragraph]:
    refused = verdict.status != OK
    yield _heading(verdict), TEXT_PT + 3, "bold", RED if refused else INK, 0.0, 0.0
    if np.isfinite(verdict.change):
        interval = f"[{verdict.change_low:.2f}, {verdict.change_high:.2f}]"
        yield (
            f"change × {verdict.change:.2f} {interval} ({verdict.level * 100:g} % interval)",
            TEXT_PT,
            "bold",
            phase_colour("post"),
            0.0,
            1.0,
        )
    if refused:
        yield verdict.status, TEXT_PT, "bold", RED, 0.0, 1.0
    said = verdict.sign_sentence.removeprefix(f"{verdict.sign}: ")
    if said and said != verdict.status:
        yield said, TEXT_PT, "normal", INK, 0.0, 1.0
    if locus or verdict.locus != "not asked":
        yield from _about_locus(verdict)


def _about_locus(verdict: Verdict) -> Iterator[_Paragraph]:
    yield f"Locus: {LOCUS_WORDS[verdict.locus]}", TEXT_PT, "bold", INK, 0.0, 4.0
    if verdict.locus_sentence:
        yield verdict.locus_sentence.removeprefix(f"{verdict.locus}: "), TEXT_PT, "normal", INK, 0.0, 0.0


def _heading(verdict: Verdict) -> str:
    if verdict.sign == "refused" or verdict.status != OK:
        return "Refused"
    if verdict.sign in _CELL_SIGNS:
        return _CELL_SIGNS[verdict.sign]
    return verdict.sign[0].upper() + verdict.sign[1:]


def _evidence(verdict: Verdict) -> Iterator[_Paragraph]:
    if verdict.evidence:
        yield "Evidence", SMALL_PT, "bold", INK, 0.0, 4.0
    for each in verdict.evidence:
        # The index and its reading stand before the sentence, which need not begin with them again.
        said = each.sentence.removeprefix(each.index).removeprefix(each.index.partition(" (")[0])
        said = said.lstrip(": ").removeprefix("not available").lstrip(":, ")
        if each.points_to == "not available":
            yield f"{each.index} not available{': ' if said else ''}{said}", SMALL_PT, "normal", GREY, 6.0, 0.0
            continue
        said = said or f"{number(each.value)} [{number(each.low)}, {number(each.high)}]"
        yield f"{each.index} → {each.points_to}: {said}", SMALL_PT, "normal", INK, 6.0, 0.0


def _quality(verdict: Verdict) -> Iterator[_Paragraph]:
    """Say what did not pass; what passed is counted. Nothing is said where nothing was asked."""
    counted = verdict.sign != "not asked" and (verdict.n_baseline or verdict.n_post)
    if not verdict.quality and not counted:
        return
    passed = sum(each.outcome == "pass" for each in verdict.quality)
    used = f"{verdict.n_baseline} baseline and {verdict.n_post} post sweeps used"
    gates = f"; {passed} of {len(verdict.quality)} quality checks passed" if verdict.quality else ""
    yield f"Quality: {used}{gates}", SMALL_PT, "bold", INK, 0.0, 4.0
    for each in verdict.quality:
        if each.outcome != "pass":
            colour = RED if each.outcome == "fail" else INK
            yield f"{each.name} ({each.outcome}): {each.sentence}", SMALL_PT, "normal", colour, 6.0, 0.0
