"""Panels of the locus: the posterior, the amplitudes with their mixture, failures, and the classical indices."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import OK
from ephysplast.plotting._estimates import draw_interval, estimate_limits, name_phases
from ephysplast.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    SMALL_PT,
    TEXT_PT,
    label_beside,
    label_inside,
    lines_share,
    mixed,
    phase_colour,
    plain,
    say,
    size_pt,
    wrap,
)
from ephysplast.plotting.words import LOCUS_WORDS
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate
from ephysplast.verdict import Evidence, Locus

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ephysplast.analysers.variability import VariabilityResult
    from ephysplast.verdict import AmplitudeFit, Verdict

LOCUS_COLOURS: Final[Mapping[str, str]] = {"p": ORANGE, "n": PURPLE, "q": GREEN, "chloride": SKY, "p+q": GREY}
"""Locus → its colour, in the order in which loci are drawn; the same in every panel."""

_NAMES: Final[Mapping[str, str]] = {
    "p": "release probability (p)",
    "n": "active sites (n)",
    "q": "quantal amplitude (q)",
    "chloride": "driving force (Cl⁻)",
    "p+q": "both ends (p+q)",
}
_SHORT: Final[Mapping[str, str]] = {"chloride": "Cl⁻"}
_ANSWERS: Final[Mapping[Locus, tuple[str, ...]]] = {
    "pre": ("p",),
    "pre-or-silent": ("p", "n"),
    "post": ("q",),
    "chloride": ("chloride",),
    "post-or-chloride": ("q", "chloride"),
    "mixed": ("p+q",),
}
"""Answer → the loci that it is made of."""

_POINTS: Final[Mapping[str, str]] = {"pre": ORANGE, "post": GREEN}
VEIL: Final[dict[str, Any]] = {"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8}
"""Behind words that lie upon lines."""

_MOST_BINS: Final = 60
_NOISE_SHARE: Final = 0.22
"""Height of the noise's little bell, as a share of the panel."""


def letters_in(colour: str) -> str:
    """Darken a colour until small letters in it can be read on white."""
    return mixed(colour, INK, 0.45)


def draw_posterior(
    axes: "Axes", verdict: "Verdict", *, threshold: float = 0.9, compact: bool = False, missing: str = ""
) -> None:
    """Draw the probability of each locus as a bar, with the threshold from which a locus is called.

    What the answer is made of has its full colour, the rest is pale; of an undetermined one all are. Where two loci
    make the answer together, a last bar adds them.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; the names stand left of it, the numbers right of it.
    verdict : Verdict
        With its probabilities; without them the panel says why.
    threshold : float
        Probability from which a locus is called: :attr:`~ephysplast.quantal.PosteriorConfig.threshold`.
    compact : bool
        Letters instead of names, for a panel about an inch wide.
    missing : str
        What to say when there are no probabilities; by default the verdict's own sentence.
    """
    known = {name: verdict.locus_probabilities[name] for name in LOCUS_COLOURS if name in verdict.locus_probabilities}
    if not known:
        why = verdict.locus_sentence.removeprefix("undetermined: ") or "the locus was not asked"
        say(axes, missing or f"No probabilities: {why}.")
        return
    answer = [name for name in _ANSWERS.get(verdict.locus, ()) if name in known]
    rows = [(name,) for name in known] + ([tuple(answer)] if len(answer) > 1 else [])
    for y, names in enumerate(rows):
        _bar(axes, float(y), names, known, told=set(names) <= set(answer))
    axes.axvline(threshold, color=INK, linewidth=0.8, linestyle=(0, (3, 2)), label="threshold", zorder=3)
    axes.set(xlim=(0.0, 1.0), ylim=(len(rows) - 0.5, -0.5))
    ticks = [0.0, 0.5, threshold] if threshold > 0.7 else [0.0, threshold, 1.0]
    axes.set_xticks(ticks, [f"{each:g}" for each in ticks])
    axes.set_yticks(range(len(rows)), [_row_name(names, compact=compact) for names in rows])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("probability")
    _title(axes, verdict, compact=compact)


def draw_amplitudes(
    before: "Axes",
    after: "Axes",
    fit: "AmplitudeFit | None",
    *,
    missing: str = "No distribution: there is no posterior.",
) -> None:
    """Draw the first responses before and after as histograms, each with the mixture that the likeliest locus expects.

    The grey bell at 0, of arbitrary height, is as wide as the recording noise: so wide are failures, and quanta that
    are no larger hide in it. A response beyond the axis is counted at its edge.

    Parameters
    ----------
    before, after : matplotlib.axes.Axes
        Where to draw, the first above the second; they get the same x axis.
    fit : AmplitudeFit or None
        From :attr:`Verdict.amplitude_fit`.
    missing : str
        What to say when there is none.
    """
    if fit is None:
        after.set_axis_off()
        say(before, missing)
        return
    phases = (
        (before, "baseline", fit.before, fit.density_before, fit.noise_before),
        (after, "post", fit.after, fit.density_after, fit.noise_after),
    )
    noise = [each for each in (fit.noise_before, fit.noise_after) if np.isfinite(each)]
    limits = min(float(fit.at[0]), *(-3.5 * each for each in noise)), max(float(fit.at[-1]), *(3.5 * e for e in noise))
    edges = _edges((fit.before, fit.after), limits)
    for axes, name, values, density, noise_sd in phases:
        colour = phase_colour(name)
        known = values[np.isfinite(values)]
        inside = known[(known >= limits[0]) & (known <= limits[1])]
        weights = np.full(inside.size, 1.0 / max(known.size, 1) / (edges[1] - edges[0]))
        filled: dict[str, Any] = {"histtype": "stepfilled", "color": colour, "alpha": 0.28, "linewidth": 0}
        heights, _, _ = axes.hist(inside, edges.tolist(), weights=weights, label=name, **filled)
        axes.plot(fit.at, density, color=colour, linewidth=1.1, label=f"mixture, {name}", zorder=3)
        top = 1.06 * max(float(np.max(heights)), _seen_peak(density, heights))
        lines = [(f"{name} (n = {known.size})", colour)]
        lines += [(f"noise SD {noise_sd:.2g} {fit.unit}", GREY)] if np.isfinite(noise_sd) else []
        axes.set(xlim=limits, ylim=(0.0, top * (1 + lines_share(axes, len(lines)))))
        _bell(axes, noise_sd, top)
        label_inside(axes, lines)
        _count_beyond(axes, known, limits)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
    before.tick_params(axis="x", labelbottom=False)
    before.set_title(f"lines: expected if {fit.locus} changed", loc="right", fontsize=SMALL_PT, color=INK, pad=3)
    after.set_xlabel(f"first response ({plain(fit.unit)})")
    for axes in (before, after):
        axes.set_ylabel("density", fontsize=SMALL_PT)


def draw_failures(
    axes: "Axes", results: "Mapping[str, VariabilityResult]", *, missing: str = "they were not measured"
) -> None:
    """Draw the fraction of failures of each phase with its interval, in percent.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; higher than wide.
    results : mapping of str to VariabilityResult
        Phase → its variability.
    missing : str
        Why there are none, when no result says so.
    """
    known = {name: each for name, each in results.items() if np.isfinite(each.failure_fraction)}
    if not known:
        said = next((each.failure_status for each in results.values() if each.failure_status != OK), missing)
        say(axes, f"No failures: {said}.")
        return
    names = tuple(known)
    share = [
        Estimate(
            value=100.0 * each.failure_fraction,
            low=100.0 * each.failure_fraction_low,
            high=100.0 * each.failure_fraction_high,
        )
        for each in known.values()
    ]
    axes.set_xlim(-0.5, len(names) - 0.5)
    axes.set_ylim(*np.clip(estimate_limits(share), -2.0, 102.0))
    axes.plot(range(len(names)), [each.value for each in share], color=GREY, linewidth=0.8, zorder=2, label="_line")
    for i, (name, each) in enumerate(zip(names, share, strict=True)):
        draw_interval(axes, each, at=float(i), colour=phase_colour(name, names), label=plain(name))
    name_phases(axes, names)
    level = f"{next(iter(known.values())).level * 100:g} % interval"
    label_beside(axes, "failures (%)", level)


def draw_indices(
    axes: "Axes", evidence: Sequence[Evidence], *, change: float = float("nan"), missing: str = "it was not asked"
) -> None:
    """Draw the classical indices, after / before with their intervals, coloured by what each alone points to.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; the names stand left of it.
    evidence : sequence of Evidence
        From :attr:`Verdict.evidence`. An index that is not available is named and stays empty.
    change : float, optional
        Mean after / before of the same sweeps: where a change of the number of sites takes CV⁻² and failures.
    missing : str
        Why there is none.
    """
    if not evidence:
        say(axes, f"No classical index: {missing}.")
        return
    axes.set(xscale="log", xlim=_index_limits(evidence, change), ylim=(len(evidence) - 0.5, -0.5))
    axes.axvline(1.0, color=INK, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1, label="unchanged")
    if np.isfinite(change) and change > 0:
        axes.axvline(change, color=BLUE, linewidth=0.8, linestyle=(0, (1, 1.5)), zorder=1, label="change of the mean")
        style: dict[str, Any] = {"ha": "center", "va": "bottom", "fontsize": SMALL_PT, "color": BLUE}
        axes.text(change, 1.02, "mean", transform=axes.get_xaxis_transform(), **style)
    for y, each in enumerate(evidence):
        _index(axes, float(y), each)
    axes.set_yticks(range(len(evidence)), [plain(each.index) for each in evidence])
    axes.tick_params(axis="y", length=0)
    _ratio_ticks(axes)
    axes.set_xlabel("after / before")


def _bar(axes: "Axes", y: float, names: tuple[str, ...], probabilities: Mapping[str, float], *, told: bool) -> None:
    """Draw one row: a locus, or those of the answer end to end; the number stands right of the panel."""
    left = 0.0
    for name in names:
        axes.barh(
            y,
            probabilities[name],
            left=left,
            height=0.64,
            facecolor=LOCUS_COLOURS[name] if told else mixed(LOCUS_COLOURS[name], "white", 0.65),
            edgecolor=LOCUS_COLOURS[name] if len(names) == 1 else "white",
            linewidth=0.6,
            label=" or ".join(names) if len(names) > 1 else name,
            zorder=2,
        )
        left += probabilities[name]
    axes.text(
        1.03,
        y,
        _probability(left),
        transform=axes.get_yaxis_transform(),
        ha="left",
        va="center",
        fontsize=SMALL_PT,
        fontweight="bold" if told else "normal",
        color=INK,
    )


def _row_name(names: tuple[str, ...], *, compact: bool) -> str:
    words = _SHORT if compact or len(names) > 1 else _NAMES
    return " or ".join(words.get(each, each) for each in names)


def _probability(value: float) -> str:
    if value > 0.995:
        return "> 0.99"
    return "< 0.01" if value < 0.005 else f"{value:.2f}"


def _title(axes: "Axes", verdict: "Verdict", *, compact: bool) -> None:
    """Write the answer above the bars, in the colour of its locus."""
    chances = {name: verdict.locus_probabilities.get(name, 0.0) for name in _ANSWERS.get(verdict.locus, ())}
    colour = letters_in(LOCUS_COLOURS[max(chances, key=lambda name: chances[name])] if chances else GREY)
    said = verdict.locus if compact else LOCUS_WORDS[verdict.locus]
    size = SMALL_PT if compact else TEXT_PT
    lines = wrap(said, width_pt=1.25 * size_pt(axes)[0], size_pt=size, weight="bold")
    axes.set_title("\n".join(lines), loc="left", fontsize=size, fontweight="bold", color=colour, pad=3)


def _edges(phases: tuple[FloatArray, FloatArray], limits: tuple[float, float]) -> FloatArray:
    """Choose bins over the whole axis, the same for both phases: the finer of what Freedman and Diaconis advise."""
    widths = []
    for values in phases:
        known = values[np.isfinite(values)]
        spread = float(np.subtract(*np.percentile(known, [75, 25]))) if known.size else 0.0
        widths.append(2.0 * spread / max(known.size, 1) ** (1 / 3))
    width = min(widths)
    reach = limits[1] - limits[0]
    n_bins = int(np.clip(np.ceil(reach / width) if width > 0 else 1.0, 8, _MOST_BINS))
    return np.linspace(*limits, n_bins + 1)


def _seen_peak(density: FloatArray, heights: Any) -> float:
    """Height of the curve that must be seen: a line of failures may rise out of the panel, not out of all measure."""
    return min(float(np.max(density)), 1.6 * float(np.max(heights)))


def _bell(axes: "Axes", noise_sd: float, top: float) -> None:
    if not (np.isfinite(noise_sd) and noise_sd > 0):
        return
    at = noise_sd * np.linspace(-3.5, 3.5, 71)
    bell = _NOISE_SHARE * top * np.exp(-0.5 * (at / noise_sd) ** 2)
    axes.fill_between(at, bell, color=GREY, alpha=0.55, linewidth=0, zorder=2, label="noise")


def _count_beyond(axes: "Axes", values: FloatArray, limits: tuple[float, float]) -> None:
    """Say at the edges how many responses lie beyond them."""
    for count, x, across, form in (
        (int(np.count_nonzero(values < limits[0])), 0.0, "left", "◂ {}"),
        (int(np.count_nonzero(values > limits[1])), 1.0, "right", "{} ▸"),
    ):
        if count:
            style: dict[str, Any] = {"transform": axes.transAxes, "fontsize": SMALL_PT, "color": GREY}
            axes.text(x, 0.04, form.format(count), ha=across, va="bottom", **style)


def _index(axes: "Axes", y: float, each: Evidence) -> None:
    colour = _POINTS.get(each.points_to, GREY)
    style: dict[str, Any] = {"va": "center", "fontsize": SMALL_PT, "transform": axes.get_yaxis_transform()}
    if np.isfinite(each.value) and each.value > 0:
        estimate = Estimate(value=each.value, low=each.low, high=each.high)
        draw_interval(axes, estimate, at=y, colour=colour, label=plain(each.index), horizontal=True)
    else:
        axes.text(0.5, y, "not available", ha="center", color=GREY, bbox=VEIL, **style)
    if each.points_to in _POINTS:
        axes.text(1.03, y, each.points_to, ha="left", color=letters_in(colour), fontweight="bold", **style)


def _index_limits(evidence: Sequence[Evidence], change: float) -> tuple[float, float]:
    """Hold every index, and those ends of intervals that are not far away, the same either way."""
    logs = [abs(np.log(each.value)) for each in evidence if np.isfinite(each.value) and each.value > 0]
    logs += [abs(np.log(change))] if np.isfinite(change) and change > 0 else []
    ends = [abs(np.log(end)) for each in evidence for end in (each.low, each.high) if np.isfinite(end) and end > 0]
    furthest = max([*logs, np.log(2.0)])
    edge = float(np.exp(1.12 * max([furthest, *(each for each in ends if each < 2.0 * furthest)])))
    return 1.0 / edge, edge


def _ratio_ticks(axes: "Axes") -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    edge = axes.get_xlim()[1]
    base = next((each for each in (2.0, 4.0, 10.0, 100.0) if np.log(edge) / np.log(each) < 2.0), 1000.0)
    axes.xaxis.set_major_locator(FixedLocator([1.0 / base, 1.0, base]))
    axes.xaxis.set_major_formatter(FixedFormatter([f"{1.0 / base:.3g}", "1", f"{base:g}"]))
    axes.xaxis.set_minor_locator(NullLocator())
