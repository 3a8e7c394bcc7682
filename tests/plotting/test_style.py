"""Words that fit, limits that outliers cannot spoil, thinning that loses no spike."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from ephysplast.plotting import plain
from ephysplast.plotting.style import decimate, nice_below, robust_limits, text_width_pt, wrap

WORDS = st.text(alphabet="abcdefghijklmnopqrstuvwxyzΔφ$&<_% W", max_size=120)


@settings(max_examples=25, deadline=None)
@given(text=WORDS, width_pt=st.floats(20.0, 300.0), size_pt=st.floats(5.0, 12.0))
def test_wrapped_lines_fit_and_lose_nothing(text, width_pt, size_pt):
    lines = wrap(text, width_pt=width_pt, size_pt=size_pt)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert all(text_width_pt(line, size_pt=size_pt) <= width_pt for line in lines if len(line) > 1)


@pytest.mark.parametrize("dpi", [72, 100, 150, 300])
@pytest.mark.parametrize("weight", ["normal", "bold"])
def test_text_is_never_drawn_wider_than_it_was_measured(dpi, weight):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    text = "the response changed to 150 % of the baseline [1.08, 4.32], CV⁻², R_s 30 MΩ, φ = 18°, WWW mmm"
    for size in (5.0, 6.0, 7.0, 10.0):
        figure = Figure(dpi=dpi)
        drawn = figure.text(0, 0, text, fontsize=size, fontweight=weight, fontfamily="DejaVu Sans")
        width_pt = drawn.get_window_extent(FigureCanvasAgg(figure).get_renderer()).width * 72 / dpi
        assert width_pt <= text_width_pt(text, size_pt=size, weight=weight)


@pytest.mark.parametrize("text", ["$a$ and $b$", "5 $", r"already \$ escaped", r"$\alpha$", "a & b < c > d % _e_ ^f"])
def test_plain_text_shows_literally(text):
    shown = Figure().text(0, 0, plain(text))
    # What matplotlib makes of a text just before it sets the letters: the letters, and whether they are a formula.
    assert shown._preprocess_math(shown.get_text()) == (text, False)


def test_plain_text_drops_what_cannot_be_seen():
    assert plain("a\tb\r\nc\x00d\ud800") == "a b  c d "


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.floats(-1e6, 1e6), max_size=50),
    st.lists(st.floats(-1e3, 1e3), max_size=3),
    st.sampled_from([0.0, 0.06]),
)
def test_limits_are_finite_apart_and_hold_what_they_must(values, include, margin):
    low, high = robust_limits(np.array([*values, np.nan]), include=include, margin=margin)
    assert np.isfinite([low, high]).all()
    assert low < high
    assert all(low <= each <= high for each in include)


def test_an_outlier_does_not_set_the_limits(rng):
    body = rng.normal(10.0, 1.0, 200)
    _, high = robust_limits(np.append(body, 1e4))
    assert body.max() < high < 20.0


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 400), st.integers(1, 50), st.integers(0, 99))
def test_thinning_keeps_the_extremes_and_the_order_of_time(n_samples, columns, seed):
    rows = np.random.default_rng(seed).normal(size=(3, n_samples))
    time, thin = decimate(np.arange(n_samples, dtype=float), rows, columns=columns)
    assert thin.shape == (3, len(time))
    assert len(time) <= max(2 * columns, n_samples if n_samples <= 2 * columns else 0)
    np.testing.assert_array_equal(thin.min(axis=1), rows.min(axis=1))
    np.testing.assert_array_equal(thin.max(axis=1), rows.max(axis=1))
    assert (np.diff(time) >= 0).all()


@settings(max_examples=25, deadline=None)
@given(st.floats(1e-6, 1e6))
def test_scale_bars_are_round_and_not_longer_than_asked(value):
    bar = nice_below(value)
    # Half the gap between 2 and 5 is the most that rounding down costs; 1e-9 is rounding of the power of ten.
    assert value / 2.5 < bar <= value * (1 + 1e-8)
    assert f"{bar:e}"[0] in "125"


def test_drawing_needs_no_pyplot_and_changes_no_setting():
    code = (
        "import sys, ephysplast.plotting as p\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib, numpy as np\n"
        "from pathlib import Path\n"
        "from ephysplast.recording import *\n"
        "before = matplotlib.rcParams.copy()\n"
        "trace = ArrayTrace(np.zeros((2, 9)), 1e3)\n"
        "channel = Channel(name='a', unit='mV', clamp='current', trace=trace)\n"
        "source = Source(path=Path('a.abf'), format='memory', reader='')\n"
        "recording = Recording(channels=(channel,), rate_hz=1e3, sweep_start_s=np.zeros(2),\n"
        "                      sweep_lengths=trace.lengths, source=source)\n"
        "p.recording_figure(recording)\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
