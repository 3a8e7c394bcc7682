"""The excitability of a cell: its f–I curve, its spikes, and the whole on one page."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import OK
from ephysplast.plotting._estimates import (
    draw_interval,
    estimate_limits,
    estimate_of,
    missing_words,
    name_phases,
    shown_quantities,
    spoken,
)
from ephysplast.plotting._page import cell_page, rows_for
from ephysplast.plotting._step_traces import draw_step_traces
from ephysplast.plotting.style import (
    GREY,
    SMALL_PT,
    label_inside,
    lines_share,
    phase_colour,
    plain,
    robust_limits,
    say,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.analysers.current_steps import CurrentSteps
    from ephysplast.analysers.excitability import ExcitabilityResult
    from ephysplast.verdict import Verdict

_SPIKE: Final = ("amplitude_mv", "half_width_ms", "fast_ahp_mv", "latency_ms")
_CELL: Final = (
    "rheobase_pa",
    "gain_hz_per_pa",
    "max_rate_hz",
    "threshold_mv",
    "rin_mohm",
    "tau_ms",
    "sag_ratio",
    "rest_mv",
)


def excitability_figure(
    *,
    title: str,
    subtitle: str,
    steps: "Mapping[str, CurrentSteps]",
    excitability: "Mapping[str, ExcitabilityResult]",
    verdict: "Verdict",
) -> "Figure":
    """Put the excitability of a cell on one page: traces, f–I curve, spike, every estimate, and the verdict.

    Parameters
    ----------
    title, subtitle : str
        What stands above; any characters.
    steps : mapping of str to CurrentSteps
        Phase → its sweeps, in the order to be drawn in.
    excitability : mapping of str to ExcitabilityResult
        Phase → what was measured from them; one phase will do.
    verdict : Verdict
        What it comes to.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide and as high as its text needs; write it with :func:`save_figure`.
    """
    notes = missing_words(excitability, (*_CELL, *_SPIKE))
    spike, cell = shown_quantities(excitability, _SPIKE), shown_quantities(excitability, _CELL)
    with styled():
        page = cell_page(
            title=title,
            subtitle=subtitle,
            verdict=verdict,
            notes=notes,
            n_rows=rows_for(len(cell)),
            n_phases=len(steps),
        )
        draw_step_traces(page.traces, steps, excitability)
        if any(each.protocol == "ramp" for each in steps.values()):
            draw_ramp_currents(page.large(0), steps, excitability)
        elif any(_has_repeats(each) for each in excitability.values()):
            strip = page.strip(0)
            curve = page.large(0, above=0.42)
            draw_fi_curve(curve, excitability)
            draw_firing_probability(strip, excitability)
            strip.set_xlim(curve.get_xlim())
            page.figure.align_ylabels([strip, curve])
        else:
            draw_fi_curve(page.large(0), excitability)
        page.estimates(excitability, spike, row=0, column=2, n_columns=2)
        page.estimates(excitability, cell, row=2, column=0, n_columns=4)
        if not spike:
            whys = (estimate_of(each, _SPIKE[0]).status for each in excitability.values())
            say(page.large(2), f"No spike to show: {next(whys, 'nothing was measured').rstrip('.')}.")
    return page.figure


def draw_fi_curve(axes: "Axes", results: "Mapping[str, ExcitabilityResult]") -> None:
    """Draw the rate against the current of each phase, with its gain as a line and the rheobase under zero.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    results : mapping of str to ExcitabilityResult
        Phase → its f–I curve. The line has the slope of the gain and runs through the middle of the points at which
        the cell always fires.
    """
    shown = {name: each for name, each in results.items() if each.current_pa.size}
    if not shown:
        said = next((each.status for each in results.values() if each.status != OK), "there is no step")
        say(axes, f"No f–I curve: {said.rstrip('.')}.")
        return
    names = tuple(results)
    top = max(float(np.nanmax(each.rate_hz, initial=1.0)) for each in shown.values())
    low = -(0.07 * len(shown) + 0.06) * top
    rows = sum(each.rheobase_pa.status == OK for each in results.values())
    axes.set_ylim(low, top + max(lines_share(axes, rows), 0.08) * (top - low))
    axes.set_xlim(*_current_limits(list(shown.values())))
    axes.axhline(0.0, color=GREY, linewidth=0.5, zorder=1)
    for i, (name, each) in enumerate(shown.items()):
        colour = phase_colour(name, names)
        style: dict[str, Any] = {"color": colour, "marker": "o", "markersize": 3.0, "linewidth": 0.6, "alpha": 0.9}
        axes.plot(each.current_pa, each.rate_hz, label=plain(name), zorder=3, **style)
        _draw_gain(axes, each, colour)
        if each.rheobase_pa.status == OK:
            at = -0.07 * top * (i + 1)
            draw_interval(axes, each.rheobase_pa, at=at, colour=colour, label=f"rheobase, {name}", horizontal=True)
    axes.locator_params(axis="y", nbins=6)
    axes.set_yticks([each for each in axes.get_yticks() if 0 <= each <= 1.04 * top])
    axes.set_xlabel("current above holding (pA)")
    axes.set_ylabel("rate (Hz)")
    _name_rheobases(axes, results)


def draw_firing_probability(axes: "Axes", results: "Mapping[str, ExcitabilityResult]") -> None:
    """Draw the fraction of the sweeps at each current in which the cell fired, where steps were repeated.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; a strip.
    results : mapping of str to ExcitabilityResult
        Phase → its f–I curve.
    """
    names = tuple(results)
    axes.set_ylim(-0.12, 1.12)
    axes.set_yticks([0, 1])
    axes.axhline(0.5, color=GREY, linewidth=0.5, linestyle=(0, (4, 3)), zorder=1)
    for name, each in results.items():
        style: dict[str, Any] = {"color": phase_colour(name, names), "marker": "o", "markersize": 2.5, "linewidth": 0.8}
        axes.plot(each.current_pa, each.fired, label=plain(name), **style)
    axes.set_ylabel("P(spike)", fontsize=SMALL_PT)
    axes.tick_params(axis="x", labelbottom=False)


def draw_ramp_currents(
    axes: "Axes", steps: "Mapping[str, CurrentSteps]", results: "Mapping[str, ExcitabilityResult]"
) -> None:
    """Draw the current at the first spike of every ramp, and the rheobase made of them, phase by phase.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    steps : mapping of str to CurrentSteps
        Phase → its ramps.
    results : mapping of str to ExcitabilityResult
        Phase → the rheobase.
    """
    names = tuple(steps)
    currents = {name: each.current_at_spike_pa[each.used] for name, each in steps.items()}
    known = np.concatenate([each[np.isfinite(each)] for each in currents.values()])
    if not known.size:
        statuses = [each.status for each in steps.values()] + [each.status for each in results.values()]
        said = next((each for each in statuses if each != OK), "")
        say(axes, f"No current at the first spike: {said.rstrip('.') or 'no ramp made the cell fire'}.")
        return
    estimates = [each.rheobase_pa for each in results.values()]
    low, high = estimate_limits(estimates, include=robust_limits(known, margin=0.0))
    rows = sum(each.status == OK for each in estimates)
    axes.set_ylim(low, high + lines_share(axes, rows) * (high - low))
    axes.set_xlim(-0.6, len(names) - 0.4)
    for i, (name, each) in enumerate(currents.items()):
        aside = np.linspace(-0.3, -0.12, len(each)) if len(each) > 1 else np.array([-0.2])
        dots: dict[str, Any] = {"s": 7.0, "color": phase_colour(name, names), "alpha": 0.4, "linewidths": 0.0}
        axes.scatter(i + aside, np.clip(each, low, high), label=f"ramps, {name}", **dots)
        if name in results and results[name].rheobase_pa.status == OK:
            rheobase = results[name].rheobase_pa
            draw_interval(axes, rheobase, at=i + 0.12, colour=phase_colour(name, names), label=f"rheobase, {name}")
    name_phases(axes, names)
    axes.set_ylabel("current at first spike (pA)")
    _name_rheobases(axes, results)


def _has_repeats(result: "ExcitabilityResult") -> bool:
    return bool(result.n_repeats.size and np.nanmax(result.n_repeats) > 1)


def _current_limits(results: "list[ExcitabilityResult]") -> tuple[float, float]:
    """Begin at the last silent step, or at zero: what lies further down is silence."""
    current = np.concatenate([each.current_pa for each in results])
    firing = current[np.concatenate([each.rate_hz for each in results]) > 0]
    if not firing.size:
        return robust_limits(np.empty(0), include=[float(current.min()), float(current.max())])
    bounds = [bound for each in results for bound in (each.rheobase_pa.low, each.rheobase_pa.value)]
    silent = current[current < firing.min()]
    wanted = [0.0, float(silent.max(initial=-np.inf)), *bounds, float(firing.min())]
    start = min(each for each in wanted if np.isfinite(each))
    return robust_limits(np.empty(0), include=[max(start, float(current.min())), float(current.max())])


def _draw_gain(axes: "Axes", result: "ExcitabilityResult", colour: str) -> None:
    """Draw the slope through the middle of the points that always fire; where the line lies is not in the result."""
    gain = result.gain_hz_per_pa
    always = (result.fired >= 1.0) & (np.arange(len(result.fired)) <= int(np.argmax(result.rate_hz)))
    if gain.status != OK or always.sum() < 2:
        return
    x, y = result.current_pa[always], result.rate_hz[always]
    ends = np.array([x.min(), x.max()])
    line = y.mean() + gain.value * (ends - x.mean())
    axes.plot(ends, line, color=colour, linewidth=2.5, alpha=0.3, zorder=2, label="gain", solid_capstyle="butt")


def _name_rheobases(axes: "Axes", results: "Mapping[str, ExcitabilityResult]") -> None:
    """Write the rheobase of each phase above the panel."""
    lines = [
        (f"rheobase {spoken(each.rheobase_pa, 'pA')}", phase_colour(name, tuple(results)))
        for name, each in results.items()
        if each.rheobase_pa.status == OK
    ]
    label_inside(axes, lines)
