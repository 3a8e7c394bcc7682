"""The windows as records, and their shapes against formulas written out here."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from timing_tables import TRUTH

from ephysplast.errors import EphysplastError
from ephysplast.fitting import NOISE, WINDOWS, find_window

EACH = pytest.mark.parametrize("window", WINDOWS, ids=lambda each: each.name)
PARAMETERS = {each.name + str(i): each for i, window in enumerate(WINDOWS) for each in (*window.parameters, NOISE)}


def written_out(name, t, shape, amplitudes):
    """The formulas again, one Δt at a time."""
    s, a = list(shape), list(amplitudes)
    if name in ("hebbian", "anti_hebbian", "asymmetric_free"):
        side = a[0] * np.exp(-t / s[0]) if t > 0 else a[1] * np.exp(t / s[1])
        return side + (a[2] if name == "asymmetric_free" else 0.0)
    if name in ("symmetric", "symmetric_offset", "ltd_only"):
        return a[0] * np.exp(-abs(t) / s[0]) + (a[1] if len(a) > 1 else 0.0)
    if name in ("gaussian", "gaussian_offset"):
        return a[0] * np.exp(-(t**2) / (2 * s[0] ** 2)) + (a[1] if len(a) > 1 else 0.0)
    if name == "difference_of_gaussians":
        wide = s[0] * s[1]
        return a[0] * np.exp(-(t**2) / (2 * s[0] ** 2)) + a[1] * np.exp(-(t**2) / (2 * wide**2)) + a[2]
    if name == "delayed":
        return (a[0] if t > 0 else a[1]) * (abs(t) / s[0]) ** s[1] * np.exp(s[1] * (1 - abs(t) / s[0]))
    if name == "pre_first":
        return a[0] * np.exp(-t / s[0]) if t > 0 else 0.0
    if name == "post_first":
        return a[0] * np.exp(t / s[0]) if t < 0 else 0.0
    if name == "square":
        return a[0] if abs(t) <= s[0] else 0.0
    return a[0] if name == "constant" else 0.0


@EACH
def test_a_window_is_what_its_formula_says(window):
    shape, amplitudes = TRUTH[window.name]
    at = np.array([-70.0, -20.5, -3.0, -0.1, 0.1, 3.0, 19.5, 70.0])
    expected = [written_out(window.name, each, shape, amplitudes) for each in at]
    # Both are a handful of float64 operations.
    np.testing.assert_allclose(window.change(at, shape=shape, amplitudes=amplitudes), expected, atol=1e-12)


@EACH
def test_a_window_is_linear_in_its_amplitudes_and_keeps_many_sets_apart(window, rng):
    at = rng.uniform(-80.0, 80.0, 11)
    z = rng.normal(size=(5, len(window.parameters)))
    values = np.stack(
        [each.from_standard(z[:, i]) for i, each in enumerate(window.parameters)] or [np.empty(5)], axis=1
    )
    values = values[:, : len(window.parameters)]
    many = window.changes(at, values)
    n_shape = len(window.shape)
    for row, one in zip(values, many, strict=True):
        np.testing.assert_array_equal(window.change(at, shape=row[:n_shape], amplitudes=row[n_shape:]), one)
        doubled = window.change(at, shape=row[:n_shape], amplitudes=2.0 * row[n_shape:])
        np.testing.assert_allclose(doubled, 2.0 * one, atol=1e-12)


@EACH
def test_a_record_is_complete_frozen_and_travels(window):
    assert all((window.name, window.short, window.title, window.formula, window.source))
    assert pickle.loads(pickle.dumps(window)) == window  # noqa: S301 - our own bytes
    with pytest.raises(FrozenInstanceError):
        window.name = "other"
    for each in window.parameters:
        assert each.source
        assert each.low < each.high
        assert each.name.endswith("_ms") == (each.unit == "ms")
        assert each.role in ("shape", "amplitude", "offset")


def test_names_differ_and_the_asked_for_windows_are_there():
    names = [each.name for each in WINDOWS]
    assert len(set(names)) == len(names)
    assert set(TRUTH) == set(names)


def test_fixed_signs_are_bounds():
    signs = {name: [(each.low, each.high) for each in find_window(name).amplitudes] for name in TRUTH}
    assert [low == 0.0 for low, _ in signs["hebbian"]] == [True, False]
    assert [high == 0.0 for _, high in signs["hebbian"]] == [False, True]
    assert [high == 0.0 for _, high in signs["anti_hebbian"]] == [True, False]
    assert all(low < 0.0 < high for low, high in signs["asymmetric_free"])
    for name in ("symmetric_offset", "gaussian_offset"):
        assert signs[name][0][0] == 0.0
        assert signs[name][1][1] == 0.0
    assert signs["ltd_only"][0][1] == 0.0


@pytest.mark.parametrize("name", [each.name for each in WINDOWS if each.half_width_ratio])
def test_the_half_width_is_where_the_window_is_halfway_to_its_offset(name):
    window = find_window(name)
    shape, amplitudes = TRUTH[name]
    half = window.half_width_ratio * shape[0]
    at = np.array([0.0, half - 1e-6, half + 1e-6, 1e6])
    top, inside, outside, offset = window.change(at, shape=shape, amplitudes=amplitudes)
    # The square window jumps there; the others pass through the middle.
    middle = 0.5 * (top + offset)
    assert min(inside, outside) - 1e-6 <= middle <= max(inside, outside) + 1e-6


def test_haas_window_is_zero_at_0_and_largest_at_its_peak():
    window = find_window("delayed")
    at = np.linspace(-40.0, 40.0, 8001)
    change = window.change(at, shape=[10.0, 10.0], amplitudes=[0.6, -0.3])
    assert change[4000] == pytest.approx(0.0, abs=1e-12)
    assert at[np.argmax(change)] == pytest.approx(10.0, abs=0.01)  # the grid's step
    assert at[np.argmin(change)] == pytest.approx(-10.0, abs=0.01)
    assert change.max() == pytest.approx(0.6)
    assert change.min() == pytest.approx(-0.3)


@EACH
def test_at_zero_both_sides_count_half(window):
    shape, amplitudes = TRUTH[window.name]
    before, at, after = window.change(np.array([-1e-9, 0.0, 1e-9]), shape=shape, amplitudes=amplitudes)
    # An exponential of 15 ms changes by 1e-10 in 1e-9 ms.
    assert at == pytest.approx(0.5 * (before + after), abs=1e-8)


@pytest.mark.parametrize("key", PARAMETERS)
@settings(max_examples=20, deadline=None)
@given(z=st.floats(-6.0, 6.0), scale=st.sampled_from([1.0, 0.01, 30.0]))
def test_priors_are_the_truncated_distributions_that_they_claim_to_be(key, z, scale):
    parameter = PARAMETERS[key]
    prior, (low, high) = parameter.prior, parameter.bounds()
    share = stats.norm.cdf(z)
    if prior.kind == "normal":
        a, b = (low - prior.centre) / prior.spread, (high - prior.centre) / prior.spread
        expected = stats.truncnorm.ppf(share, a, b, loc=prior.centre, scale=prior.spread)
    else:
        a, b = np.log([low / prior.centre, high / prior.centre]) / prior.spread
        expected = prior.centre * np.exp(prior.spread * stats.truncnorm.ppf(share, a, b))
    factor = 1.0 if parameter.role == "shape" else scale
    found = parameter.from_standard(np.array([z]), scale=scale)[0]
    # scipy's own quantile function is good to about 1e-9 in the far tails.
    assert found == pytest.approx(factor * expected, rel=1e-6, abs=1e-8 * factor)
    bottom, top = parameter.bounds(scale)
    assert bottom <= found <= top


def test_an_unknown_name_gets_near_ones():
    with pytest.raises(EphysplastError, match="did you mean 'gaussian'"):
        find_window("gausian")
