"""Likelihoods of release against enumeration, integration and closed forms."""

from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from ephysplast.errors import EphysplastError
from ephysplast.quantal import ReleaseSets, ShortTerm, cv_plane, release_log_density, train_log_likelihood
from ephysplast.quantal._density import SweepSets, sweep_densities
from ephysplast.quantal._pair_density import pair_densities

SYNAPSES = {
    "n": st.integers(1, 40),
    "p": st.floats(0.02, 0.93),
    "q": st.floats(0.1, 30.0),
    "within": st.floats(0.0, 0.6),
    "between": st.floats(0.0, 0.6),
    "noise": st.floats(0.05, 2.0),
}


@given(**SYNAPSES)
@example(n=1, p=0.5, q=1.0, within=0.0, between=0.5, noise=1.0)  # one site differs from no other
@settings(max_examples=25, deadline=None)
def test_density_integrates_to_one_with_the_mean_and_variance_of_theory(n, p, q, within, between, noise) -> None:
    one = ReleaseSets.of(n=n, p=p, q=q, cv_within=within, cv_between=between, noise_sd=noise * q)
    top = n * q + 8 * q * (noise + np.sqrt(n) * 0.9)
    x = np.linspace(-8 * q * (noise + 0.9), top, 20_001)
    density = np.exp(release_log_density(x, one)[0])
    # The grid has > 10 points per narrowest peak and reaches past 8 SD: the trapezoid is exact to rounding.
    assert integrate.trapezoid(density, x) == pytest.approx(1.0, abs=1e-8)
    mean = integrate.trapezoid(density * x, x)
    variance = integrate.trapezoid(density * (x - mean) ** 2, x)
    assert mean == pytest.approx(one.mean[0], rel=1e-7)
    assert variance == pytest.approx(one.variance[0] + (noise * q) ** 2, rel=1e-6)


def test_gamma_quanta_integrate_to_one_and_keep_the_moments() -> None:
    one = ReleaseSets.of(n=6, p=0.4, q=10.0, cv_within=0.4, noise_sd=1.0)
    x = np.linspace(-10, 160, 3_401)
    density = np.exp(release_log_density(x, one, quanta="gamma")[0])
    assert integrate.trapezoid(density, x) == pytest.approx(1.0, abs=1e-8)
    mean = integrate.trapezoid(density * x, x)
    assert mean == pytest.approx(24.0, rel=0.005)  # 64 quantiles leave the outermost 1/128 of each tail out
    assert integrate.trapezoid(density * (x - mean) ** 2, x) == pytest.approx(one.variance[0] + 1.0, rel=0.02)


def enumerate_sites(values, n, u, recovered, component):
    """Sum over which site releases at which pulse and which empty site recovers, one site at a time."""

    def walk(full, pulse):
        if pulse == len(values):
            return 1.0
        total = 0.0
        for released in product((0, 1), repeat=n):
            if any(r and not f for r, f in zip(released, full, strict=True)):
                continue
            k = sum(released)
            chance = u[pulse] ** k * (1 - u[pulse]) ** (sum(full) - k) * component(values[pulse], k)
            left = [f - r for f, r in zip(full, released, strict=True)]
            if pulse == len(values) - 1:
                total += chance
                continue
            for back in product((0, 1), repeat=n):
                if any(b and f for b, f in zip(back, left, strict=True)):
                    continue
                share = recovered[pulse] ** sum(back) * (1 - recovered[pulse]) ** (n - sum(left) - sum(back))
                total += chance * share * walk([f + b for f, b in zip(left, back, strict=True)], pulse + 1)
        return total

    return walk([1] * n, 0)


@pytest.mark.parametrize(("n", "pulses"), [(1, 3), (2, 3), (3, 2), (4, 2)])
def test_trains_agree_with_the_enumeration_of_every_site(n, pulses, rng) -> None:
    p, q, within, between, noise = 0.37, 2.0, 0.3, 0.25, 0.4
    recovered, left = (0.3, 0.6)[: pulses - 1], (0.5, 0.2)[: pulses - 1]
    term = ShortTerm(recovered=recovered, facilitation_left=left, facilitation=0.2)
    u = [p]
    for share in left:
        u.append(p + (u[-1] + 0.2 * (1 - u[-1]) - p) * share)

    def component(x, k):
        variance = noise**2 + k * (q * within) ** 2 + k * (n - k) / max(n - 1, 1) * (q * between) ** 2
        return stats.norm.pdf(x, k * q, np.sqrt(variance))

    values = rng.normal(2.0, 2.0, size=(4, pulses))
    one = ReleaseSets.of(n=n, p=p, q=q, cv_within=within, cv_between=between, noise_sd=noise)
    found = train_log_likelihood(values, one, short_term=term)[0]
    wanted = [np.log(enumerate_sites(row, n, u, recovered, component)) for row in values]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


def test_paired_density_integrates_to_one_and_an_unknown_response_is_summed_out() -> None:
    one = ReleaseSets.of(n=4, p=0.4, q=1.0, cv_within=0.2, noise_sd=0.2)
    term = ShortTerm(recovered=(0.3,), facilitation_left=(0.5,))
    x = np.linspace(-2, 8, 401)
    grid = np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1).reshape(-1, 2)
    joint = np.exp(train_log_likelihood(grid, one, short_term=term)[0]).reshape(401, 401)
    second = integrate.trapezoid(joint, x, axis=1)
    assert integrate.trapezoid(second, x) == pytest.approx(1.0, abs=1e-6)
    alone = np.stack([x, np.full_like(x, np.nan)], axis=1)
    np.testing.assert_allclose(
        second, np.exp(train_log_likelihood(alone, one, short_term=term)[0]), rtol=1e-6, atol=1e-12
    )


def fast_sets(n, p, q, n_sweeps):
    wide = [np.repeat(each[:, None], n_sweeps, axis=1) for each in (p, q)]
    return SweepSets(n, *wide, np.full(n.size, 0.3), np.full(n.size, 0.2), 0.1 / q)


def test_fast_kernels_agree_with_the_exact_sums(rng) -> None:
    n = np.asarray([1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 80, 100.0])
    p, later, recovered = rng.uniform(0.05, 0.9, size=(3, n.size))
    q = 1.0 / (n * p)
    values = np.abs(rng.normal(1.0, 0.3, size=(20, 2)))
    sets = fast_sets(n, p, q, 20)
    exact = ReleaseSets.of(n=n, p=p, q=q, noise_sd=0.1, cv_within=0.3, cv_between=0.2)
    fast = sweep_densities(np.repeat(values[None, :, 0], n.size, axis=0), sets)
    wanted = np.exp(release_log_density(values[:, 0], exact))
    # Single precision, and components beyond 5.5 binomial SDs left out: far below an outlier's density of about 1e-3.
    np.testing.assert_allclose(fast, wanted, rtol=2e-4, atol=2e-6)
    pairs = pair_densities(np.repeat(values[None], n.size, axis=0), sets, later_p=later, recovered=recovered)
    for i in range(n.size):
        f = (later[i] - p[i]) / (1 - p[i])
        if f >= 0:
            term = ShortTerm(recovered=(recovered[i],), facilitation_left=(1.0,), facilitation=f)
            one = ReleaseSets.of(n=n[i], p=p[i], q=q[i], noise_sd=0.1, cv_within=0.3, cv_between=0.2)
            wanted = np.exp(train_log_likelihood(values, one, short_term=term)[0])
            np.testing.assert_allclose(pairs[i], wanted, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("locus", "before", "after"),
    [
        ("p", (8, 0.3, 10.0), (8, 0.45, 10.0)),
        ("n", (8, 0.3, 10.0), (12, 0.3, 10.0)),
        ("q", (8, 0.3, 10.0), (8, 0.3, 15.0)),
    ],
)
def test_many_sweeps_lie_on_the_curves_of_the_cv_plane(locus, before, after, rng) -> None:
    within, between = 0.3, 0.4

    def sampled(n, p, q):
        # A standardised pattern of sites, so that CV between sites is what it says for every n.
        sites = np.linspace(-1, 1, n)
        sites = q * (1 + between * sites / np.sqrt(np.mean(sites**2)))
        released = rng.random((400_000, n)) < p
        return (released * (sites + within * q * rng.standard_normal(released.shape))).sum(axis=1)

    def inverse(values):
        return values.mean() ** 2 / values.var()

    first, second = sampled(*before), sampled(*after)
    y = inverse(second) / inverse(first)
    wanted = cv_plane(1.5, locus, p=0.3, cv_within=within, cv_between=between)
    # The SE of a variance ratio is about 2/sqrt(400 000) = 0.3 %; four of them.
    assert y == pytest.approx(float(wanted), rel=0.013)


def test_impossible_parameters_are_named() -> None:
    with pytest.raises(EphysplastError, match=r"noise_sd 0"):
        ReleaseSets.of(n=3, p=0.5, q=1.0, noise_sd=0.0)
    with pytest.raises(EphysplastError, match=r"n 2\.5"):
        ReleaseSets.of(n=2.5, p=0.5, q=1.0, noise_sd=0.1)
    with pytest.raises(EphysplastError, match="3 pulses, 1 intervals"):
        train_log_likelihood(
            np.ones((2, 3)),
            ReleaseSets.of(n=2, p=0.5, q=1.0, noise_sd=0.1),
            short_term=ShortTerm(recovered=(0.1,), facilitation_left=(0.1,)),
        )
