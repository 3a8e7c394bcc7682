"""The locus posterior against an exact grid, dynesty, and what must not change it."""

from dataclasses import replace

import numpy as np
import pytest
from locus_grid import CHANGES, OBSERVERS, Cell, called, draw
from locus_observer import Observer
from locus_truths import Seen, Truth, record
from scipy import special, stats

from ephysplast.errors import EphysplastError
from ephysplast.quantal import (
    LOCI,
    LocusPriors,
    PosteriorConfig,
    QuantalSize,
    locus_posterior,
)
from ephysplast.quantal._density import SweepSets
from ephysplast.quantal._hypotheses import _later
from ephysplast.quantal._importance import Sampled
from ephysplast.quantal._observed import LaterPulse, observed
from ephysplast.quantal.locus import _quantiles

SIMPLE = LocusPriors(drift_scale=0.0, onset_probability=0.0, gain_sd=0.0)


@pytest.mark.parametrize("change", CHANGES)
def test_a_clear_change_is_called_for_what_it_is(change) -> None:
    seen = draw(Cell(change, "noise", 0.025), 7)
    found = locus_posterior(seen.before, seen.after, noise_sd=0.025, rng=np.random.default_rng(1))
    assert called(found.probability) == change.split()[1]


@pytest.mark.parametrize("change", ["LTP pre", pytest.param("LTD post", marks=pytest.mark.slow)])
def test_agrees_with_the_exact_grid_when_nothing_disturbs(change) -> None:
    seen = draw(Cell(change, "noise", 0.1), 5)
    undisturbed = LocusPriors(drift_scale=0.0, onset_probability=0.0, gain_sd=0.0, outlier_fraction=1e-6)
    config = PosteriorConfig(priors=undisturbed)
    found = locus_posterior(seen.before, seen.after, noise_sd=0.1, rng=np.random.default_rng(2), config=config)
    exact = Observer(gain_sd=0.0).judge(seen.before[:, 0], seen.after[:, 0], 0.1)
    # Evidence is sampled to 10 % and the grid's cells of n above 8 are coarse: 0.3 in log odds, 0.075 in probability.
    np.testing.assert_allclose(found.probability, exact, atol=0.075)


@pytest.mark.slow
@pytest.mark.parametrize(("family", "level"), [("onset", 1.0), ("trend", 0.0096), ("outlier", 0.8)])
@pytest.mark.parametrize("change", ["LTP pre", "LTD post"])
def test_agrees_with_the_exact_grid_that_sums_over_the_same_confound(change, family, level) -> None:
    seen = draw(Cell(change, family, level), 6)
    alone = LocusPriors(
        drift_scale=0.5 if family == "trend" else 0.0,
        onset_probability=0.5 if family == "onset" else 0.0,
        outlier_fraction=0.002 if family == "outlier" else 1e-6,
    )
    config = PosteriorConfig(priors=alone, effective=1000.0, n_rounds=150)
    found = locus_posterior(seen.before, seen.after, noise_sd=0.1, rng=np.random.default_rng(2), config=config)
    exact = OBSERVERS[family](seen.before[:, 0], seen.after[:, 0], 0.1)
    # Evidence is sampled to 5 %; the rest is the grid's coarseness, and that a drift may go on after the baseline.
    np.testing.assert_allclose(found.probability, exact, atol=0.06)


def test_units_do_not_matter() -> None:
    seen = draw(Cell("LTP pre", "noise", 0.1), 3)
    small, large = (
        locus_posterior(scale * seen.before, scale * seen.after, noise_sd=scale * 0.1, rng=np.random.default_rng(4))
        for scale in (1.0, 1024.0)
    )
    # Amplitudes are divided by the baseline median first; a power of two leaves no rounding to lead the sampler astray.
    np.testing.assert_allclose(small.probability, large.probability, rtol=1e-9)
    np.testing.assert_allclose(1024.0 * small.median[:, 2], large.median[:, 2], rtol=1e-9)


def test_one_outlier_does_not_turn_the_call() -> None:
    seen = draw(Cell("LTP post", "outlier", 3.2), 8)
    found = locus_posterior(seen.before, seen.after, noise_sd=0.1, rng=np.random.default_rng(1))
    assert called(found.probability) != "pre"
    assert found.probability[LOCI.index("q")] > 0.5


def test_failures_in_little_noise_do_not_speak_for_small_quanta() -> None:
    rng = np.random.default_rng(0)
    phases = []
    for q, n_sweeps in ((1.0, 60), (1.8, 200)):
        quanta = q * (1.0 + 0.4 * rng.standard_normal(n_sweeps))
        phases.append(np.where(rng.random(n_sweeps) < 0.45, quanta, 0.0) + 0.01 * rng.standard_normal(n_sweeps))
    found = locus_posterior(*phases, noise_sd=0.01, rng=np.random.default_rng(1))
    assert found.call == "post"
    i = LOCI.index("q")
    # One site: the release probability and both quantal amplitudes follow from counting; 95 % intervals hold them.
    assert found.low[i, 0].tolist() == [1.0, 1.0]
    for low, truth, high in zip(found.low[i, 1:], ((0.45, 0.45), (1.0, 1.8)), found.high[i, 1:], strict=True):
        assert (low < truth).all()
        assert (truth < high).all()


def test_sites_that_go_gradually_are_no_change_of_p_and_q() -> None:
    rng = np.random.default_rng(0)
    sites = np.rint(6 + 24 * 0.9 * np.exp(-np.arange(240) / 30.0)).astype(int)
    phases = []
    for n in (np.full(60, 30), sites):
        quanta = rng.binomial(n, 0.75)
        phases.append(quanta + 0.2 * np.sqrt(quanta) * rng.standard_normal(n.size) + 0.3 * rng.standard_normal(n.size))
    found = locus_posterior(*phases, noise_sd=0.3, rng=np.random.default_rng(1))
    assert found.call == "pre-or-silent"
    assert found.probability[LOCI.index("n")] > 0.9


def test_paired_pulses_say_more_than_the_first_alone() -> None:
    seen = draw(Cell("LTD post", "noise", 0.1), 5, n_pulses=2)
    both, first = (
        locus_posterior(before, after, noise_sd=0.1, rng=np.random.default_rng(1))
        for before, after in ((seen.before, seen.after), (seen.before[:, 0], seen.after[:, 0]))
    )
    assert both.call == "post"
    assert both.probability[2] > first.probability[2]


@pytest.fixture(scope="module")
def train() -> Seen:
    """Three of nine sites lost: what the first two of five pulses leave open, as the test beside it shows."""
    rng = np.random.default_rng(15)
    lost = Truth(
        "n", n=(9, 6), p=(0.66, 0.66), q=(1.0, 1.0), cv_within=0.2, cv_between=0.2, noise=0.3, sweeps=(60, 120)
    )
    return record(lost, rng, n_pulses=5)


def posterior_of(seen: Seen, pulses: int = 5) -> np.ndarray:
    before, after = seen.before[:, :pulses], seen.after[:, :pulses]
    return locus_posterior(before, after, noise_sd=seen.noise_sd, rng=np.random.default_rng(3)).probability


def test_the_scatter_of_a_whole_train_says_more_than_two_pulses(train) -> None:
    # Evidence is sampled to .3 at worst, and these odds of n differ by a factor of 9.
    both, all_five = posterior_of(train, pulses=2), posterior_of(train)
    assert special.logit(all_five[LOCI.index("n")]) > special.logit(both[LOCI.index("n")]) + 0.7


@pytest.mark.slow
def test_later_pulses_say_nothing_by_their_means_and_may_be_missing(train) -> None:
    # Depression that differs between the phases is no change of n or q: the same quanta, released more seldom.
    rng = np.random.default_rng(5)
    quanta = rng.binomial(6, 0.15, size=(train.after.shape[0], 3))
    sparse = quanta + np.sqrt(0.08 * quanta + 0.09) * rng.standard_normal(quanta.shape)
    seen = replace(train, before=train.before.copy(), after=np.hstack([train.after[:, :2], sparse]))
    seen.before[:20, 2:] = np.nan
    assert posterior_of(seen)[LOCI.index("n")] > 0.5


@pytest.mark.parametrize("missing", [0, 40])
def test_a_later_pulse_is_summed_over_its_release_probability(missing) -> None:
    # Against a dense sum over the mean: three nodes do for what is nearly a Gaussian.
    rng = np.random.default_rng(8)
    quanta = rng.binomial(8, 0.3, 150)
    values = 0.4 * (quanta + np.sqrt(0.06 * quanta) * rng.standard_normal(150)) + 0.1 * rng.standard_normal(150)
    values[:missing] = np.nan
    pulse = LaterPulse(values, np.full(150, 0.1), float(np.nanmean(values)), float(np.nanstd(values)))
    flat = np.ones((3, 150))
    q = np.array([0.4, 0.36, 0.45])
    sets = SweepSets(np.array([8.0, 9.0, 7.0]), 0.5 * flat, q[:, None] * flat, *np.full((2, 3), 0.2), 0.1 / q)
    found = _later(pulse, 0.0 * flat, sets, LocusPriors(outlier_fraction=1e-6))
    kept, exact = values[missing:], []
    k = np.arange(10)
    for n, size in zip((8, 9, 7), q, strict=True):
        variance = 0.01 + size**2 * (0.04 * k + 0.04 * np.maximum(k * (n - k), 0) / (n - 1))
        peaks = stats.norm.pdf(kept[:, None], k * size, np.sqrt(variance))
        off = np.linspace(-5.0, 5.0, 201)
        means = pulse.mean + off * pulse.se
        total = [np.log(peaks @ stats.binom.pmf(k, n, mean / n / size)).sum() for mean in means]
        exact.append(special.logsumexp(total) + np.log(off[1] - off[0]) - 0.5 * np.log(2.0 * np.pi))
    # It counts half. A tenth of a nat is a tenth of what changes odds noticeably.
    np.testing.assert_allclose(found, 0.5 * np.asarray(exact), atol=0.1)


def test_which_pulses_of_a_train_are_read(train) -> None:
    def later(before, after) -> list[int]:
        seen, _ = observed((before, after), (0.3, 0.3), size=None, outlier_width=3.0)
        return [len(each) for each in seen.later]

    assert later(train.before, train.after) == [3, 3]
    assert later(np.tile(train.before, 2), np.tile(train.after, 2)) == [3, 3]
    absent, silent = train.before.copy(), train.after.copy()
    absent[8:, 4] = np.nan
    silent[:, 2] = np.random.default_rng(0).normal(0.0, 0.3, silent.shape[0])
    assert later(absent, train.after) == [2, 2]
    nothing = np.full((180, 3), np.nan)
    assert later(*(np.hstack([each[:, :2], nothing[: len(each)]]) for each in (train.before, train.after))) == [0, 0]
    assert later(train.before, silent) == [2, 2]


def test_bad_input_is_never_called(rng) -> None:
    good = 1.0 + 0.3 * rng.standard_normal(60)
    few = locus_posterior(good[:5], good, noise_sd=0.1, rng=rng)
    silent = locus_posterior(good, 0.1 * rng.standard_normal(60), noise_sd=0.1, rng=rng)
    for found in (few, silent):
        assert found.call == "undetermined"
        assert found.status != "ok"
        assert np.isnan(found.probability).all()
    with pytest.raises(EphysplastError, match="noise"):
        locus_posterior(good, good, noise_sd=np.nan, rng=rng)
    with pytest.raises(EphysplastError, match="pulses"):
        locus_posterior(good, np.ones((60, 2)), noise_sd=0.1, rng=rng)


def test_nothing_is_said_of_n_p_and_q_under_a_hopeless_locus() -> None:
    # Without noise, and q up by 2.5: no other locus comes near, and their few draws would give intervals of no width.
    rng = np.random.default_rng(3)
    before, after = (rng.binomial(5, 0.5, size=n) * q for n, q in ((60, 0.4), (240, 1.0)))
    found = locus_posterior(before, after, noise_sd=0.0, rng=np.random.default_rng(1))
    assert found.call == "post"
    known = np.isfinite(found.median).all(axis=(1, 2))
    assert known[LOCI.index("q")]
    assert not known[LOCI.index("p")]
    assert np.isnan(found.low[~known]).all()
    assert np.isnan(found.draws_n[~known]).all()
    assert np.isfinite(found.log_q_change).all()
    assert np.all(found.high[known] >= found.low[known])


def test_a_known_quantal_size_is_a_prior_of_q() -> None:
    seen = draw(Cell("LTD post", "noise", 0.2), 9)
    free, known, missing = (
        locus_posterior(seen.before, seen.after, noise_sd=0.2, rng=np.random.default_rng(1), quantal_size=size)
        for size in (
            None,
            QuantalSize(value=0.40, log_sd=0.1, source="minis"),
            QuantalSize(value=np.nan, log_sd=np.nan, source="", status="there were no minis"),
        )
    )
    np.testing.assert_array_equal(missing.log_evidence, free.log_evidence)
    i = LOCI.index("q")
    # A prior of 10 % holds the estimate within 2.5 of its SD, and its interval cannot be wider than four.
    assert known.median[i, 2, 0] == pytest.approx(0.40, rel=0.25)
    assert known.high[i, 2, 0] / known.low[i, 2, 0] < min(np.exp(0.4), free.high[i, 2, 0] / free.low[i, 2, 0])


def dynesty_evidence(seen, noise, locus, q_span=(-3.5, 0.7)):
    """Log evidence of one locus from nested sampling with a likelihood of its own, drift and onset switched off."""
    import dynesty

    priors, before, after = SIMPLE, seen.before[:, 0], seen.after[:, 0]
    scale = (np.median(before) + np.clip(before - np.median(before), *spread_limits(before))).mean()
    before, after, noise = before / scale, after / scale, noise / scale
    both = np.concatenate([before, after])
    middle = np.median(both)
    wide = priors.outlier_width * 1.4826 * np.median(np.abs(both - middle))
    stray = [priors.outlier_fraction * stats.cauchy.pdf(each, middle, wide) for each in (before, after)]
    sites = np.log(0.5), np.log(100.5)

    def p_of(u):
        return priors.min_p + u * (priors.max_p - priors.min_p)

    def transform(u):
        log_n = sites[0] + u[0] * (sites[1] - sites[0])
        n, q = max(np.rint(np.exp(log_n)), 1.0), np.exp(q_span[0] + u[2] * (q_span[1] - q_span[0]))
        first, second = [n, p_of(u[1]), q], [n, p_of(u[1]), q]
        if "p" in locus:
            first[1] = p_of(u[5])
        if locus == "n":
            earlier = log_n + priors.n_change_sd * special.ndtri(u[5])
            first[0] = max(np.rint(np.exp(earlier)), 1.0) if sites[0] < earlier < sites[1] else np.nan
        if "q" in locus:
            first[2] = q * np.exp(priors.q_change_sd * special.ndtri(u[-1]))
        return np.asarray([*first, *second, 0.6 * u[3], 0.6 * u[4]])

    def log_likelihood(u):
        x = transform(u)
        if np.isnan(x[0]):
            return -1e10
        total = 0.0
        for values, (n, p, q), odd in ((before, x[:3], stray[0]), (after, x[3:6], stray[1])):
            k = np.arange(n + 1)
            within = x[6] ** 2 + priors.min_spread**2
            variance = noise**2 + priors.min_noise**2 + q**2 * (k * within + k * (n - k) / max(n - 1, 1) * x[7] ** 2)
            weight = stats.binom._pmf(k, n, p) / np.sqrt(2 * np.pi * variance)
            density = np.exp(-0.5 * (values[:, None] - k * q) ** 2 / variance) @ weight
            total += np.log((1.0 - priors.outlier_fraction) * density + odd).sum()
        return total

    sampler = dynesty.NestedSampler(
        log_likelihood,
        lambda u: u,
        7 if locus == "pq" else 6,
        nlive=200,
        sample="rwalk",
        rstate=np.random.default_rng(0),
    )
    sampler.run_nested(dlogz=0.1, print_progress=False)
    results = sampler.results
    found = results.logz[-1] + np.log(q_span[1] - q_span[0])
    if locus == "n":
        # Of the pairs drawn here some lie outside, where ours has no prior mass at all: a share in closed form is lost.
        draws = np.random.default_rng(1).normal(size=200_000) * priors.n_change_sd
        starts = np.random.default_rng(2).uniform(*sites, size=200_000)
        found -= np.log(np.mean((starts + draws > sites[0]) & (starts + draws < sites[1])))
    return found, results.logzerr[-1]


def spread_limits(values):
    spread = max(1.4826 * np.median(np.abs(values - np.median(values))), 0.5 * values.std())
    return -4.0 * spread, 4.0 * spread


@pytest.mark.slow
@pytest.mark.parametrize(
    ("locus", "change"),
    [("p", "LTP pre"), ("q", "LTP post"), ("n", "LTD pre"), ("pq", "LTD post"), ("q", "LTD post")],
)
def test_evidence_agrees_with_dynesty(locus, change) -> None:
    seen = draw(Cell(change, "noise", 0.2), 11)
    # All loci are refined, so that their evidence is as good as the sampler gives it.
    config = PosteriorConfig(priors=SIMPLE, n_round=400, effective=1000.0)
    found = locus_posterior(seen.before, seen.after, noise_sd=0.2, rng=np.random.default_rng(1), config=config)
    wanted, error = dynesty_evidence(seen, 0.2, locus)
    i = LOCI.index(locus)
    difference, both = found.log_evidence[i] - wanted, np.hypot(error, found.log_evidence_se[i])
    print(f"{locus} {change}: {found.log_evidence[i]:.2f} against {wanted:.2f} ± {error:.2f}")
    assert abs(difference) < 2.5 * both  # five comparisons: 2.5 SD of one is 6 % of five sound ones failing


@pytest.mark.parametrize("n", [40, 79, 160])
def test_an_interval_of_few_draws_holds_what_it_says(n) -> None:
    drawn = np.random.default_rng(n).standard_normal((n, 4000))
    low, median, high = _quantiles(drawn, Sampled(points=drawn, log_weights=np.zeros(n)))
    # Between the i-th and the j-th of n lie (j - i) / (n + 1); whole ranks miss 95 % by half a rank at most.
    assert np.mean(stats.norm.cdf(high) - stats.norm.cdf(low)) == pytest.approx(0.95, abs=0.5 / n)
    assert np.mean(median) == pytest.approx(0.0, abs=2.0 / n)  # half a rank where the density is .4, and chance
