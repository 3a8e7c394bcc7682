"""The sampler against the moments that theory gives, written out here and nowhere in the package."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.synthesis.release import ReleaseSites, sample_release

SWEEPS = 40_000


def first_pulse(sites: ReleaseSites, seed: int) -> np.ndarray:
    return sample_release(sites, [0.0], n_sweeps=SWEEPS, rng=np.random.default_rng(seed))[:, 0]


@pytest.mark.parametrize(("n", "p"), [(1, 0.3), (5, 0.4), (12, 0.25), (40, 0.8)])
@pytest.mark.parametrize(("cv_i", "cv_ii"), [(0.0, 0.0), (0.3, 0.0), (0.0, 0.3), (0.25, 0.35)])
def test_mean_variance_and_failures_are_those_of_binomial_release(n: int, p: float, cv_i: float, cv_ii: float) -> None:
    q = 11.0
    drawn = first_pulse(ReleaseSites(n=n, p=p, q=q, cv_i=cv_i, cv_ii=cv_ii), 7)
    between = cv_ii if n > 1 else 0.0  # one site does not differ from itself
    variance = n * q**2 * (p * (1 - p) * (1 + between**2) + p * cv_i**2)
    kurtosis = np.mean((drawn - drawn.mean()) ** 4) / np.var(drawn) ** 2

    # 4.5 standard errors of a mean, of a variance and of a share: one false alarm in 10^5.
    assert drawn.mean() == pytest.approx(n * p * q, abs=4.5 * np.sqrt(variance / SWEEPS))
    assert drawn.var() == pytest.approx(variance, rel=4.5 * np.sqrt((kurtosis - 1) / SWEEPS))
    failures = (1 - p) ** n
    assert np.mean(drawn == 0.0) == pytest.approx(failures, abs=4.5 * np.sqrt(failures * (1 - failures) / SWEEPS))


@pytest.mark.parametrize("depletion", ["site", "mean"])
@pytest.mark.parametrize("facilitation", [0.0, 0.2, None])
def test_a_pair_of_pulses_follows_tsodyks_and_markram(depletion: str, facilitation: float | None) -> None:
    n, p, wait = 10, 0.35, 0.05
    sites = ReleaseSites(
        n=n,
        p=p,
        q=1.0,
        cv_i=0.0,
        cv_ii=0.0,
        recovery_ms=300.0,
        facilitation=facilitation,
        facilitation_ms=80.0,
        depletion=depletion,
    )
    f = p if facilitation is None else facilitation
    u2 = p + (f * (1 - p)) * np.exp(-wait / 0.080)
    full2 = 1 - p * np.exp(-wait / 0.300)
    drawn = sample_release(sites, [0.0, wait], n_sweeps=SWEEPS, rng=np.random.default_rng(3))

    assert sites.expected([0.0, wait]) == pytest.approx([n * p, n * u2 * full2], rel=1e-12)
    variance2 = n * u2 * full2 * (1 - u2 * full2)  # a sum of n independent yes-or-no sites, with either depletion
    assert drawn[:, 1].mean() == pytest.approx(n * u2 * full2, abs=4.5 * np.sqrt(variance2 / SWEEPS))
    covariance = -n * u2 * p * (1 - p) * np.exp(-wait / 0.300) if depletion == "site" else 0.0
    tolerance = 4.5 * np.sqrt((n * p * (1 - p) * variance2 + covariance**2) / SWEEPS)
    assert np.cov(drawn.T)[0, 1] == pytest.approx(covariance, abs=tolerance)


def test_without_recovery_a_site_releases_once() -> None:
    sites = ReleaseSites(n=6, p=0.5, q=1.0, cv_i=0.0, cv_ii=0.0, recovery_ms=1e12)
    drawn = sample_release(sites, np.arange(30) * 0.01, n_sweeps=200, rng=np.random.default_rng(1))
    assert drawn.sum(axis=1).max() <= 6
    assert drawn.sum() == 6 * 200  # 0.5^30 of a site is left: none in 1200 sites


def test_a_pulse_without_a_spike_releases_nothing_and_depletes_nothing() -> None:
    sites = ReleaseSites(n=8, p=1.0, q=2.0, cv_i=0.0, cv_ii=0.0, recovery_ms=1e9)
    spiked = np.array([[True, True], [False, True]])
    drawn = sample_release(sites, [0.0, 0.05], n_sweeps=2, rng=np.random.default_rng(0), spiked=spiked)
    assert drawn.tolist() == [[16.0, 0.0], [0.0, 16.0]]


def test_release_probability_may_change_from_sweep_to_sweep() -> None:
    sites = ReleaseSites(n=3, p=0.5, q=1.0, cv_i=0.0, cv_ii=0.0)
    drawn = sample_release(sites, [0.0], n_sweeps=3, rng=np.random.default_rng(0), p=[0.0, 1.0, 0.0])
    assert drawn[:, 0].tolist() == [0.0, 3.0, 0.0]


def test_sites_have_the_stated_mean_and_spread_exactly() -> None:
    means = ReleaseSites(n=9, p=0.5, q=4.0, cv_ii=0.3).site_means()
    # Rounding only.
    assert means.mean() == pytest.approx(4.0, rel=1e-12)
    assert means.std() / means.mean() == pytest.approx(0.3, rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(0.01, 100.0), n=st.integers(1, 30), p=st.floats(0.05, 0.95), seed=st.integers(0, 10**6))
def test_amplitudes_scale_with_the_quantum(factor: float, n: int, p: float, seed: int) -> None:
    one, other = (
        sample_release(ReleaseSites(n=n, p=p, q=q), [0.0, 0.05], n_sweeps=5, rng=np.random.default_rng(seed))
        for q in (3.0, 3.0 * factor)
    )
    # The gamma sampler's shape parameter is q²/(cv·q)², which rounding moves in its last digit.
    np.testing.assert_allclose(other, factor * one, rtol=1e-9)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"n": 0}, "n "),
        ({"p": 1.2}, "p "),
        ({"q": -1.0}, "q "),
        ({"cv_i": -0.1}, "cv_i"),
        ({"recovery_ms": 0.0}, "recovery"),
        ({"facilitation": 2.0}, "facilitation"),
        ({"depletion": "all"}, "depletion"),
    ],
)
def test_impossible_synapses_are_refused(changes: dict, word: str) -> None:
    with pytest.raises(SettingsError, match=word):
        ReleaseSites(**{"n": 5, "p": 0.5, "q": 1.0, **changes})


def test_a_spread_that_makes_a_quantum_negative_is_refused() -> None:
    with pytest.raises(SettingsError, match="cv_ii"):
        ReleaseSites(n=50, p=0.5, q=1.0, cv_ii=3.0).site_means()


def test_wrong_shapes_are_refused() -> None:
    sites, rng = ReleaseSites(n=2, p=0.5, q=1.0), np.random.default_rng(0)
    with pytest.raises(EphysplastError, match="ascend"):
        sample_release(sites, [0.05, 0.0], n_sweeps=2, rng=rng)
    with pytest.raises(EphysplastError, match="spiked"):
        sample_release(sites, [0.0], n_sweeps=2, rng=rng, spiked=np.ones((3, 1), dtype=bool))
    with pytest.raises(EphysplastError, match="p has"):
        sample_release(sites, [0.0], n_sweeps=2, rng=rng, p=[0.1, 0.2, 0.3])
