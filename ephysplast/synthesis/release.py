"""Transmitter release, drawn site by site: what a synapse does before anything is recorded."""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.recording import FloatArray

Depletion: TypeAlias = Literal["site", "mean"]
BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ReleaseSites:
    """Binomial release with quantal variability and short-term plasticity.

    Convention (Tsodyks–Markram, values before the jump): release probability ``u`` starts at ``p`` and occupancy ``R``
    at 1. A spike releases from a site with probability ``u·R``; over the interval Δ to the next spike
    ``R′ = 1 − [1 − R(1−u)]·exp(−Δ/recovery)`` and ``u′ = p + [u + f(1−u) − p]·exp(−Δ/facilitation)``. With
    ``facilitation = p`` this is the classic model. A pulse without a spike only lets both relax.

    Attributes
    ----------
    n : int
        Release sites.
    p : float
        Release probability of an occupied site at rest.
    q : float
        Mean quantal amplitude, a magnitude in pA or mV.
    cv_i : float
        Quantal variability within a site from release to release: SD of every site / `q`.
    cv_ii : float
        Quantal variability between sites: SD of the sites' means / `q`; a single site has none.
    recovery_ms : float
        Time constant with which an emptied site is filled again.
    facilitation : float or None
        ``f``: the share of ``1 − u`` that a spike adds to u. 0 is no facilitation; None is the classic ``f = p``.
    facilitation_ms : float
        Time constant with which u returns to p.
    depletion : {"site", "mean"}
        ``"site"``: each site is full or empty, so what the first pulse released the second one lacks.
        ``"mean"``: every pulse is an independent binomial draw with probability u·R. Both have the same mean.

    Examples
    --------
    >>> sites = ReleaseSites(n=10, p=0.5, q=12.0)
    >>> sites.failure_rate() == 0.5**10
    True
    """

    n: int
    p: float
    q: float
    cv_i: float = 0.2
    cv_ii: float = 0.2
    recovery_ms: float = 400.0
    facilitation: float | None = 0.0
    facilitation_ms: float = 100.0
    depletion: Depletion = "site"

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        _check("n", self.n, self.n >= 1, "at least one site")
        _check("p", self.p, 0.0 <= self.p <= 1.0, "a probability, 0 to 1")
        _check("q", self.q, self.q >= 0.0, "a magnitude, 0 or more")
        _check("cv_i", self.cv_i, self.cv_i >= 0.0, "0 or more")
        _check("cv_ii", self.cv_ii, self.cv_ii >= 0.0, "0 or more")
        _check("recovery_ms", self.recovery_ms, self.recovery_ms > 0.0, "above 0 ms")
        _check("facilitation_ms", self.facilitation_ms, self.facilitation_ms > 0.0, "above 0 ms")
        _check("facilitation", self.facilitation, 0.0 <= (self.facilitation or 0.0) <= 1.0, "0 to 1, or None")
        if self.depletion not in ("site", "mean"):
            raise SettingsError("depletion is not known", got=repr(self.depletion), wanted="'site' or 'mean'")

    def with_changes(self, **changes: float) -> "ReleaseSites":
        """Return the synapse after plasticity: some of n, p, q … replaced."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def failure_rate(self) -> float:
        """Return the probability that a single spike at rest releases nothing, ``(1 − p)^n``."""
        return float((1.0 - self.p) ** self.n)

    def expected(self, pulse_s: ArrayLike) -> FloatArray:
        """Return the mean amplitude of each pulse, ``n·q·u·R``.

        Parameters
        ----------
        pulse_s : array_like, shape (n_pulses,)
            Times of the spikes, in s, ascending.

        Returns
        -------
        numpy.ndarray, shape (n_pulses,)
            In the unit of `q`.

        Examples
        --------
        >>> ReleaseSites(n=10, p=0.5, q=2.0, recovery_ms=1e9).expected([0.0, 0.05]).round(3).tolist()
        [10.0, 5.0]
        """
        times = _times(pulse_s)
        u, full = self.p, 1.0
        amplitude = np.empty(len(times))
        for k, wait_s in enumerate(_waits(times)):
            amplitude[k] = self.n * self.q * u * full
            full = 1.0 - (1.0 - full * (1.0 - u)) * np.exp(-wait_s / (self.recovery_ms * 1e-3))
            step = self.p if self.facilitation is None else self.facilitation
            u = self.p + (u + step * (1.0 - u) - self.p) * np.exp(-wait_s / (self.facilitation_ms * 1e-3))
        return amplitude

    def site_means(self) -> FloatArray:
        """Return the mean quantal amplitude of each site, shape (n,).

        They are quantiles of a gamma distribution, shifted and scaled so that their mean is `q` and their SD
        ``cv_ii·q`` exactly: the moments of this synapse, not of a population it might come from, are the stated ones.

        Raises
        ------
        SettingsError
            If `cv_ii` is so large that a site would have a negative quantum.
        """
        if self.n == 1 or self.cv_ii == 0.0:
            return np.full(self.n, self.q)
        shape = 1.0 / self.cv_ii**2
        quantiles = gammaincinv(shape, (np.arange(self.n) + 0.5) / self.n)
        spread = (quantiles - quantiles.mean()) / quantiles.std()
        means = self.q * (1.0 + self.cv_ii * spread)
        _check("cv_ii", self.cv_ii, bool((means >= 0.0).all()), "so small that every site's quantum is positive")
        return np.asarray(means)


def sample_release(
    sites: ReleaseSites,
    pulse_s: ArrayLike,
    *,
    n_sweeps: int,
    rng: np.random.Generator,
    p: ArrayLike | None = None,
    spiked: BoolArray | None = None,
) -> FloatArray:
    """Draw noise-free response amplitudes, all sweeps at once.

    The synapse is at rest when a sweep starts: sweeps are taken to be many recovery times apart.

    Parameters
    ----------
    sites : ReleaseSites
        The synapse.
    pulse_s : array_like, shape (n_pulses,)
        Times of the spikes within a sweep, in s, ascending.
    n_sweeps : int
        How many sweeps.
    rng : numpy.random.Generator
        Source of chance.
    p : float or array_like, shape (n_sweeps,), optional
        Release probability of each sweep, where it changes during a phase (a graded onset); `sites.p` by default.
    spiked : numpy.ndarray of bool, shape (n_sweeps, n_pulses), optional
        False where the presynaptic cell did not fire: nothing is released and nothing used up.

    Returns
    -------
    numpy.ndarray of float64, shape (n_sweeps, n_pulses)
        Sum of the quanta, magnitudes in the unit of `sites.q`; exactly 0 for a failure. Per pulse at rest the mean is
        ``npq`` and the variance ``n·q²·[p(1−p)(1+cv_ii²) + p·cv_i²]``.

    Raises
    ------
    EphysplastError
        If times do not ascend, or `p` or `spiked` have another shape than the sweeps.

    Examples
    --------
    >>> always = ReleaseSites(n=4, p=1.0, q=2.5, cv_i=0.0, cv_ii=0.0)
    >>> sample_release(always, [0.0], n_sweeps=2, rng=np.random.default_rng(0)).tolist()
    [[10.0], [10.0]]
    """
    times = _times(pulse_s)
    rest = _per_sweep(sites.p if p is None else p, n_sweeps)
    fired = np.ones((n_sweeps, len(times)), dtype=bool) if spiked is None else np.asarray(spiked, dtype=bool)
    if fired.shape != (n_sweeps, len(times)):
        raise EphysplastError("spiked has the wrong shape", got=f"{fired.shape}", wanted=f"{(n_sweeps, len(times))}")
    means = sites.site_means()
    step = rest if sites.facilitation is None else np.full_like(rest, sites.facilitation)
    u = rest.copy()
    full = np.ones((n_sweeps, sites.n))  # 0 or 1 with site depletion, the expected occupancy with mean depletion
    amplitude = np.empty(fired.shape)
    for k, wait_s in enumerate(_waits(times)):
        now = fired[:, k, np.newaxis]
        released = (rng.random((n_sweeps, sites.n)) < u * full) & now
        amplitude[:, k] = (released * _quanta(sites, means, n_sweeps, rng)).sum(axis=1)
        refill = -np.expm1(-wait_s / (sites.recovery_ms * 1e-3))
        if sites.depletion == "site":
            empty = released | (full == 0.0)
            full = (~empty | (rng.random((n_sweeps, sites.n)) < refill)).astype(np.float64)
        else:
            left = full * np.where(now, 1.0 - u, 1.0)
            full = left + (1.0 - left) * refill
        u = rest + (np.where(now, u + step * (1.0 - u), u) - rest) * np.exp(-wait_s / (sites.facilitation_ms * 1e-3))
    return amplitude


def _quanta(sites: ReleaseSites, means: FloatArray, n_sweeps: int, rng: np.random.Generator) -> FloatArray:
    """Draw one quantum per sweep and site: gamma, so never negative, with the same SD cv_i·q at every site."""
    if sites.cv_i == 0.0 or sites.q == 0.0:
        return np.broadcast_to(means, (n_sweeps, sites.n))
    scale = (sites.cv_i * sites.q) ** 2 / np.maximum(means, 1e-12 * sites.q)
    return np.asarray(rng.standard_gamma(means / scale, (n_sweeps, sites.n)) * scale)


def _per_sweep(p: ArrayLike, n_sweeps: int) -> FloatArray:
    values = np.asarray(p, dtype=np.float64)
    if values.shape not in ((), (n_sweeps,)):
        raise EphysplastError("p has the wrong shape", got=f"{values.shape}", wanted=f"one number or {(n_sweeps,)}")
    _check("p", p, bool(((values >= 0.0) & (values <= 1.0)).all()), "probabilities, 0 to 1")
    return np.broadcast_to(values, (n_sweeps,))[:, np.newaxis].copy()


def _times(pulse_s: ArrayLike) -> FloatArray:
    times = np.asarray(pulse_s, dtype=np.float64).reshape(-1)
    if not times.size or (np.diff(times) <= 0.0).any():
        raise EphysplastError("pulse times must ascend", got=f"{times.tolist()}", wanted="at least one, ascending")
    return times


def _waits(times: FloatArray) -> FloatArray:
    return np.append(np.diff(times), np.inf)


def _check(name: str, got: object, good: bool, wanted: str) -> None:
    if not good:
        raise SettingsError(f"{name} is impossible", got=f"{got}", wanted=wanted)
