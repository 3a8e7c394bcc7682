"""Intervals: closed forms, scipy as the other program, and coverage measured on synthetic sweeps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from ephysplast.errors import EphysplastError
from ephysplast.statistics import (
    Interval,
    bca_interval,
    block_length,
    block_resample,
    bootstrap_interval,
    cv_inverse_square,
    detrend,
    jackknife_indices,
    jackknife_interval,
    outliers,
    percentile_interval,
    ratio_interval_fieller,
    slope_interval,
)

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
VALUES = arrays(np.float64, st.integers(12, 40), elements=st.floats(-100, 100, width=32), unique=True)


def autoregressive(rho: float, n: int, rows: int, rng: np.random.Generator) -> np.ndarray:
    """Rows of a stationary AR(1) series of variance 1."""
    series = rng.normal(size=(rows, n))
    for i in range(1, n):
        series[:, i] = rho * series[:, i - 1] + np.sqrt(1 - rho**2) * series[:, i]
    return series


# ---- resampling


def test_blocks_are_neighbours_on_a_circle(rng):
    drawn = block_resample(10, 50, block=4, rng=rng)
    assert drawn.shape == (50, 10)
    steps = np.diff(drawn, axis=1) % 10
    inside = np.delete(np.arange(9), [3, 7])  # between blocks anything may follow
    assert (steps[:, inside] == 1).all()


def test_every_observation_is_drawn_equally_often(rng):
    counts = np.bincount(block_resample(20, 4000, block=5, rng=rng).ravel(), minlength=20)
    # Each count is 5 × a binomial of 16,000 block draws at 1/20: SD about 140 around 4000.
    assert np.abs(counts - 4000).max() < 5 * 140


@pytest.mark.parametrize("wrong", [{"n": 0}, {"n_boot": 0}, {"block": 0}])
def test_nothing_to_resample_is_an_error(rng, wrong):
    arguments = {"n": 5, "n_boot": 3, "block": 1} | wrong
    with pytest.raises(EphysplastError, match="nothing can be resampled"):
        block_resample(arguments["n"], arguments["n_boot"], block=arguments["block"], rng=rng)


@pytest.mark.parametrize(("n", "block"), [(7, 1), (9, 2), (12, 4)])
def test_jackknife_leaves_out_one_block_each(n, block):
    expected = [[i for i in range(n) if not k * block <= i < (k + 1) * block] for k in range(n // block)]
    assert jackknife_indices(n, block=block).tolist() == expected


@pytest.mark.parametrize("rho", [0.3, 0.6, 0.8])
def test_block_length_is_the_optimal_one_for_a_long_series(rho, rng):
    n = 4000
    found = block_length(autoregressive(rho, n, 1, rng)[0])
    optimal = (1.5 * (2 * rho / (1 - rho**2)) ** 2) ** (1 / 3) * n ** (1 / 3)
    # The correlation of 4000 sweeps is known to ±0.016, which moves the length by up to 12 %.
    assert found == pytest.approx(optimal, rel=0.15)


def test_block_length_of_independent_values_is_short(rng):
    lengths = [block_length(row) for row in rng.normal(size=(200, 60))]
    assert np.mean(lengths) < 2.0
    assert block_length(np.ones(50)) == block_length(np.arange(5.0)) == 1


def test_block_length_is_at_most_a_quarter():
    assert block_length(np.arange(40.0)) == 10


@QUICK
@given(VALUES, st.floats(0.1, 100), st.floats(-1000, 1000))
def test_block_length_knows_no_unit(values, factor, shift):
    assert block_length(values) == pytest.approx(block_length(values * factor + shift), abs=1)  # 1: rounding at .5


# ---- intervals


def test_percentiles_keep_infinities_and_give_up_on_too_many_nan():
    samples = np.r_[np.arange(97.0), np.full(3, np.inf)]
    assert percentile_interval(samples, 0.90) == Interval(4.0, 95.0)
    assert percentile_interval(samples, 0.95).high == np.inf
    assert percentile_interval(np.r_[np.arange(96.0), np.full(4, np.nan)], 0.95).high == 93.0
    assert np.isnan(percentile_interval(np.r_[np.arange(90.0), np.full(10, np.nan)], 0.95)).all()


def test_few_observations_widen_the_percentile_interval_as_student_does(rng):
    samples = rng.normal(size=200_000)
    low, high = percentile_interval(samples, n=10)
    wanted = stats.t.ppf(0.975, 9) * np.sqrt(10 / 9)
    assert high == pytest.approx(wanted, rel=0.03)  # 3 SE of a quantile this far out
    assert low == pytest.approx(-wanted, rel=0.03)


def test_jackknife_interval_of_a_mean_is_students():
    values = np.array([3.0, 4.5, 2.2, 5.1, 4.4])
    expected = stats.t.interval(0.95, 4, loc=values.mean(), scale=stats.sem(values))
    left_out = values[jackknife_indices(5)].mean(axis=1)
    assert jackknife_interval(values.mean(), jackknife=left_out) == pytest.approx(expected, rel=1e-12)
    assert np.isnan(jackknife_interval(1.0, jackknife=np.array([1.0, 2.0]))).all()


def test_bca_agrees_with_scipy(rng):
    values = rng.gamma(2.0, size=40)
    ours = bca_interval(
        values[block_resample(40, 20_000, block=1, rng=rng)].var(axis=1),
        values.var(),
        jackknife=values[jackknife_indices(40)].var(axis=1),
    )
    scipy = stats.bootstrap((values,), np.var, n_resamples=20_000, method="BCa", rng=rng).confidence_interval
    # Two bootstraps of 20,000: each bound is known to about 1.5 % of itself.
    assert ours == pytest.approx((scipy.low, scipy.high), rel=0.05)


def test_bca_of_a_lone_infinite_estimate_is_no_interval():
    assert np.isnan(bca_interval(np.arange(100.0), np.inf, jackknife=np.arange(3.0))).all()


@QUICK
@given(VALUES, st.floats(0.1, 50))
def test_the_interval_of_a_mean_scales_with_the_values(values, factor):
    def interval(scale: float) -> tuple[float, Interval]:
        return bootstrap_interval(
            lambda rows: (scale * values)[rows].mean(axis=-1), values.size, rng=np.random.default_rng(3), n_boot=200
        )

    (one, low_high), (other, scaled) = interval(1.0), interval(factor)
    size = np.abs(values).max() * factor
    assert other == pytest.approx(factor * one, abs=1e-9 * size)
    # Rounding may reorder two equal means, and then the next sample is taken.
    assert scaled == pytest.approx([factor * each for each in low_high], rel=0.05, abs=0.02 * size)


def test_fieller_of_a_precise_denominator_is_students_interval_of_the_numerator(rng):
    top = rng.normal(5.0, 1.0, 25)
    low, high = ratio_interval_fieller(top, 2.0 + 1e-9 * rng.normal(size=25), paired=True)
    expected = np.array(stats.t.interval(0.95, 24, loc=top.mean(), scale=stats.sem(top))) / 2.0
    assert (low, high) == pytest.approx(expected, rel=1e-6)


def test_fieller_is_unbounded_where_the_denominator_may_be_zero(rng):
    unsure = rng.normal(0.1, 1.0, 20)
    unsure -= unsure.mean() - 0.1
    assert ratio_interval_fieller(rng.normal(5, 1, 20), unsure, paired=False) == Interval(-np.inf, np.inf)
    assert np.isnan(ratio_interval_fieller(np.ones(2), np.ones(2), paired=True)).all()
    with pytest.raises(EphysplastError, match="paired"):
        ratio_interval_fieller(np.ones(3), np.ones(4), paired=True)


def test_fieller_drops_a_pair_that_lacks_one(rng):
    top, bottom = rng.normal(5, 1, 20), rng.normal(9, 1, 20)
    with_gap = ratio_interval_fieller(np.r_[top, 100.0], np.r_[bottom, np.nan], paired=True)
    assert with_gap == pytest.approx(ratio_interval_fieller(top, bottom, paired=True), rel=1e-12)


# ---- coverage: nominal 95 %; the standard error of a coverage from 400 experiments is 1.1 %


def coverage_of_mean(rho: float, n: int, experiments: int, rng: np.random.Generator) -> float:
    hits = 0
    for row in autoregressive(rho, n, experiments, rng):
        block = block_length(row)
        samples = row[block_resample(n, 300, block=block, rng=rng)].mean(axis=1)
        hits += percentile_interval(samples, n=n / block).contains(0.0)
    return hits / experiments


@pytest.mark.parametrize(
    ("rho", "n", "least"),
    [
        (0.0, 20, 0.92),
        (0.0, 60, 0.92),
        (0.3, 60, 0.90),  # a correlation that short series hardly show: measured 0.93
        (0.6, 60, 0.88),  # measured 0.92; percentiles of single sweeps would cover 0.67
    ],
)
def test_block_bootstrap_covers_a_mean(rho, n, least, rng):
    assert least <= coverage_of_mean(rho, n, 400, rng) <= 0.985


@pytest.mark.parametrize(
    ("rho", "n", "least"),
    [(0.0, 10, 0.92), (0.0, 60, 0.92), (0.3, 20, 0.89), (0.6, 40, 0.87)],  # measured 0.95, 0.95, 0.93, 0.92
)
def test_the_slope_interval_covers(rho, n, least, rng):
    time = np.arange(n) * 10.0
    rows = autoregressive(rho, n, 400, rng) + 0.02 * time
    covered = np.mean([slope_interval(time, row)[1].contains(0.02) for row in rows])
    assert least <= covered <= 0.985


def test_the_slope_interval_covers_over_a_pause(rng):
    time = np.r_[np.arange(20.0), 100.0 + np.arange(20.0)]  # two files with a pause between them
    halves = autoregressive(0.6, 20, 800, rng).reshape(400, 40)
    covered = np.mean([slope_interval(time, row)[1].contains(0.0) for row in halves])
    assert 0.87 <= covered <= 0.985


@pytest.mark.parametrize("paired", [True, False])
def test_fieller_covers(paired, rng):
    shared = 0.5 * rng.normal(size=(1000, 15)) if paired else np.zeros((1000, 15))
    top, bottom = 1.0 + shared + 0.5 * rng.normal(size=(1000, 15)), 2.0 + shared + 0.5 * rng.normal(size=(1000, 15))
    covered = np.mean(
        [ratio_interval_fieller(a, b, paired=paired).contains(0.5) for a, b in zip(top, bottom, strict=True)]
    )
    assert covered == pytest.approx(0.95, abs=0.021)  # exact for Gaussians; 3 SE of 1000 experiments


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 60, 240])
@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6])
def test_coverage_at_length(rho, n, rng):
    # What is promised: within 2 % when independent. A correlation cannot be learnt well from 20 sweeps.
    least = {0.0: 0.93, 0.3: 0.86 if n == 20 else 0.90, 0.6: 0.78 if n == 20 else 0.88}[rho]
    assert least <= coverage_of_mean(rho, n, 2000, rng) <= 0.975
    time = np.arange(float(n))
    covered = np.mean([slope_interval(time, row)[1].contains(0.0) for row in autoregressive(rho, n, 2000, rng)])
    assert {0.0: 0.93, 0.3: 0.91, 0.6: 0.86}[rho] <= covered <= 0.975


# ---- slope, variability, trend, outliers


@QUICK
@given(VALUES)
def test_the_slope_is_least_squares(values):
    time = np.cumsum(1.0 + np.arange(values.size) % 3)
    slope, (low, high) = slope_interval(time, values)
    expected = stats.linregress(time, values).slope
    assert slope == pytest.approx(expected, rel=1e-9, abs=1e-9 * np.ptp(values))
    assert low <= slope <= high


def test_independent_residuals_give_students_interval():
    # Residuals that alternate have no positive correlation, so the interval is the textbook one.
    time, wiggle = np.arange(20.0), np.tile([1.0, -1.0], 10)
    slope, interval = slope_interval(time, 0.5 * time + wiggle)
    fit = stats.linregress(time, 0.5 * time + wiggle)
    half = stats.t.ppf(0.975, 18) * fit.stderr
    assert interval == pytest.approx((slope - half, slope + half), rel=1e-9)


def test_a_slope_needs_six_sweeps():
    slope, interval = slope_interval(np.arange(5.0), np.arange(5.0))
    assert np.isnan([slope, *interval]).all()
    slope, _ = slope_interval(np.arange(7.0), np.array([0, 1, np.nan, 3, 4, 5, 6.0]))
    assert slope == pytest.approx(1.0)


def test_a_straight_line_has_an_interval_of_no_width():
    slope, interval = slope_interval(np.arange(10.0), 3.0 * np.arange(10.0))
    assert [slope, *interval] == pytest.approx([3.0] * 3, abs=1e-9)


def test_cv_inverse_square_row_by_row(rng):
    rows, noise = rng.normal(5, 1, (4, 30)), np.array([0.0, 0.1, 0.2, 50.0])
    found = cv_inverse_square(rows, noise)
    assert found[:3] == pytest.approx(
        [np.mean(r) ** 2 / (np.var(r, ddof=1) - v) for r, v in zip(rows[:3], noise[:3], strict=True)]
    )
    assert np.isnan(found[3])
    assert cv_inverse_square(rows[0], ddof=2) == pytest.approx(rows[0].mean() ** 2 / (np.var(rows[0]) * 30 / 28))


@QUICK
@given(VALUES, st.floats(0.1, 100))
def test_cv_inverse_square_knows_no_unit(values, factor):
    one, other = cv_inverse_square(values, 1.0), cv_inverse_square(values * factor, factor**2)
    assert other == pytest.approx(one, rel=1e-6, nan_ok=True)


@QUICK
@given(VALUES)
def test_detrend_is_polyfit(values):
    time = np.arange(values.size) ** 1.5
    fitted = np.polyval(np.polyfit(time, values, 1), time)
    expected = values - fitted + values.mean()
    assert detrend(values, time=time) == pytest.approx(expected, abs=1e-6 * np.abs(values).max())
    assert detrend(np.stack([values, -values]), time=time)[1] == pytest.approx(-expected, abs=1e-4)


def test_detrend_leaves_a_single_moment_alone():
    assert detrend(np.array([1.0, 5.0]), time=np.zeros(2)).tolist() == [1.0, 5.0]


def test_outliers_are_far_from_the_median(rng):
    values = rng.normal(size=100)
    values[[3, 50]] = 9.0, -9.0
    values[7] = np.nan
    assert np.flatnonzero(outliers(values, 5.0)).tolist() == [3, 50]
    assert not outliers(np.r_[np.zeros(60), np.ones(40)], 3.0).any()  # no scale
    assert not outliers(np.full(5, np.nan), 3.0).any()


def test_gaussian_sweeps_are_hardly_ever_outliers(rng):
    # 4 SD happens once in 16,000 Gaussian values; the scale of 100 sweeps, ±8 %, makes that a few times more.
    assert np.mean([outliers(row, 4.0).mean() for row in rng.normal(size=(500, 100))]) < 6e-4


def test_nothing_writes_to_its_input(rng):
    values = rng.normal(5, 1, 40)
    kept = values.copy()
    block_length(values)
    slope_interval(np.arange(40.0), values)
    detrend(values)
    outliers(values, 3.0)
    cv_inverse_square(values, 0.1)
    ratio_interval_fieller(values, values, paired=True)
    assert (values == kept).all()
