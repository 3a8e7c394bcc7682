"""One timing window in two conditions: both tables with their windows, and what one has over the other."""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import OK
from ephysplast.plotting.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    PALE,
    SMALL_PT,
    TEXT_PT,
    place,
    plain,
    robust_limits,
    styled,
    wrap,
    write,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.fitting import WindowComparison
    from ephysplast.recording import FloatArray
    from ephysplast.result import Estimate

_WIDTH: Final = 7.2
_LEFT: Final = 0.6
_PANEL: Final = (6.2, 2.2)
_DIFFERENCE: Final = 1.3
_TEXT_PT: Final = (_WIDTH - 0.3) * 72
_COLOURS: Final = (BLUE, ORANGE)


def comparison_figure(
    comparison: "WindowComparison", *, names: tuple[str, str] = ("first", "second"), title: str = ""
) -> "Figure":
    """Draw two conditions and their difference on one page.

    A: the changes of both with the window fitted to each. B: second minus first, with its band. Below: the parameters
    of both and their differences in words.

    Parameters
    ----------
    comparison : WindowComparison
        From :func:`ephysplast.fitting.compare_conditions`.
    names : (str, str)
        What the conditions are called.
    title : str
        What stands above; the name of the table when empty.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    said = title or comparison.first_table.source
    heading = wrap(said, width_pt=_TEXT_PT, size_pt=TEXT_PT + 3, weight="bold")
    window = f"{comparison.window.title}: {comparison.window.formula}."
    answer = [
        line for each in (f"{comparison.sentence}.", window) for line in wrap(each, width_pt=_TEXT_PT, size_pt=TEXT_PT)
    ]
    words = [line for each in _words(comparison, names) for line in wrap(each, width_pt=_TEXT_PT, size_pt=SMALL_PT)]
    top = 0.35 + 0.19 * len(heading) + 0.131 * len(answer)
    panels = _PANEL[1] + 0.2 + _DIFFERENCE
    with styled():
        figure = Figure(figsize=(_WIDTH, top + panels + 0.62 + 0.113 * len(words)))
        below = write(figure, heading, left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
        write(figure, answer, left=0.15, top=below + 0.03, color=INK)
        both = place(figure, left=_LEFT, top=top, width=_PANEL[0], height=_PANEL[1])
        draw_conditions(both, comparison, names=names)
        both.tick_params(labelbottom=False)
        second = top + _PANEL[1] + 0.2
        apart = place(figure, left=_LEFT, top=second, width=_PANEL[0], height=_DIFFERENCE, sharex=both)
        draw_condition_difference(apart, comparison)
        for letter, at in (("A", top), ("B", second)):
            write(figure, [letter], left=0.1, top=at - 0.12, size=TEXT_PT + 3, weight="bold", color=INK)
        write(figure, words, left=0.15, top=top + panels + 0.45, size=SMALL_PT, color=INK)
    return figure


def draw_conditions(
    axes: "Axes", comparison: "WindowComparison", *, names: tuple[str, str] = ("first", "second")
) -> None:
    """Draw the changes of both conditions in per cent against Δt, with the window fitted to each and its band.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    comparison : WindowComparison
        Standard errors are bars.
    names : (str, str)
        What the conditions are called.
    """
    _zero_lines(axes)
    seen = [np.zeros(1)]
    fits, tables = (comparison.first, comparison.second), (comparison.first_table, comparison.second_table)
    for fitted, table, name, colour in zip(fits, tables, names, _COLOURS, strict=True):
        at = fitted.curve_delta_t_ms
        for side in (at < 0.0, at > 0.0):
            band = 100.0 * fitted.curve_low[side], 100.0 * fitted.curve_high[side]
            axes.fill_between(at[side], *band, color=colour, alpha=0.15, linewidth=0, zorder=1, label="_band")
            axes.plot(at[side], 100.0 * fitted.curve[side], color=colour, linewidth=1.3, zorder=3, label="_window")
        error = 100.0 * table.change_error
        dots: dict[str, Any] = {
            "fmt": "o",
            "markersize": 3.0,
            "markeredgewidth": 0,
            "elinewidth": 0.6,
            "alpha": 0.8,
            "zorder": 4,
        }
        yerr = error if (error > 0.0).any() else None
        label = f"{plain(name)}, n = {len(table)}"
        axes.errorbar(table.delta_t_ms, 100.0 * table.change, yerr=yerr, color=colour, label=label, **dots)
        seen += [100.0 * table.change - error, 100.0 * table.change + error, 100.0 * fitted.curve]
    axes.set_xlim(*_ends(comparison))
    axes.set_ylim(*_limits(np.concatenate(seen)))
    axes.set_ylabel("change (%)")
    axes.legend(loc="best", handlelength=1.0, borderaxespad=0.2, labelspacing=0.25)


def draw_condition_difference(axes: "Axes", comparison: "WindowComparison") -> None:
    """Draw the second window minus the first, with its band, in per cent of the baseline against Δt.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; empty when a fit failed.
    comparison : WindowComparison
        From :func:`ephysplast.fitting.compare_conditions`.
    """
    _zero_lines(axes)
    at = comparison.delta_t_ms
    for side in (at < 0.0, at > 0.0):
        band = 100.0 * comparison.curve_low[side], 100.0 * comparison.curve_high[side]
        axes.fill_between(at[side], *band, color=GREY, alpha=0.25, linewidth=0, label="band")
        axes.plot(at[side], 100.0 * comparison.curve[side], color=INK, linewidth=1.3, label="difference")
    # Near 0 a band may be very wide: it need not be seen whole.
    ends = np.concatenate([comparison.curve_low, comparison.curve_high])
    known = 100.0 * ends[np.isfinite(ends)]
    middle = 100.0 * comparison.curve[np.isfinite(comparison.curve)]
    axes.set_ylim(*robust_limits(known, include=[0.0, *middle]))
    axes.set_xlim(*_ends(comparison))
    axes.locator_params(axis="y", nbins=5)
    axes.set(xlabel="Δt = t(post) − t(pre) (ms)", ylabel="second − first (%)")


def _zero_lines(axes: "Axes") -> None:
    for zero in (axes.axhline, axes.axvline):
        zero(0.0, color=PALE, linewidth=0.6, zorder=0)


def _ends(comparison: "WindowComparison") -> tuple[float, float]:
    return float(comparison.delta_t_ms[0]), float(comparison.delta_t_ms[-1])


def _limits(values: "FloatArray") -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return robust_limits(np.empty(0), include=[float(known.min()), float(known.max())])


def _words(comparison: "WindowComparison", names: tuple[str, str]) -> list[str]:
    """Say each parameter in both conditions and its difference; a reason stands where there is no value."""
    from ephysplast.fitting import NOISE

    found = [f"Each parameter in {names[0]} and in {names[1]}, and the difference, with posterior intervals:"]
    parameters = (*comparison.window.parameters, NOISE)
    rows = zip(parameters, comparison.first.estimates, comparison.second.estimates, comparison.difference, strict=True)
    for parameter, first, second, apart in rows:
        symbol, said = parameter.symbol, parameter.said

        def written(each: "Estimate", said: "Callable[[float], str]" = said) -> str:
            return f"{said(each.value)} [{said(each.low)}, {said(each.high)}]" if each.status == OK else "–"

        why = "" if apart.status == OK else f" ({apart.status})"
        found.append(f"{symbol}: {written(first)}; {written(second)}; difference {written(apart)}{why}.")
    return found
