"""A release sampler for these tests only: binomial sites, paired pulses with depletion or facilitation."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from ephysplast.experiment import SweepTable


@dataclass(frozen=True, kw_only=True)
class Synapse:
    n: int = 5
    p: float = 0.5
    q: float = 0.35
    cv_quantal: float = 0.0
    recovery: float = 0.3  # share of emptied sites refilled before the next pulse
    facilitation: float = 0.0  # p of the next pulse is p + facilitation (1 − p)

    def sample(self, n_sweeps: int, n_pulses: int, rng: np.random.Generator, *, p=None, q=None) -> np.ndarray:
        p = np.broadcast_to(self.p if p is None else p, n_sweeps)[:, None]
        q = np.broadcast_to(self.q if q is None else q, n_sweeps)
        full = np.ones((n_sweeps, self.n), dtype=bool)
        amplitude = np.empty((n_sweeps, n_pulses))
        for pulse in range(n_pulses):
            released = full & (rng.random(full.shape) < p)
            k = released.sum(axis=1)
            amplitude[:, pulse] = q * (k + self.cv_quantal * np.sqrt(k) * rng.standard_normal(n_sweeps))
            full = (full & ~released) | (~full | released) & (rng.random(full.shape) < self.recovery)
            p = p + self.facilitation * (1.0 - p)
        return amplitude


def experiment(
    before: Synapse,
    after: Synapse,
    rng: np.random.Generator,
    *,
    n_baseline: int = 60,
    n_post: int = 240,
    n_pulses: int = 2,
    noise: float = 0.1,
    outlier: float = 0.0,
    trend: float = 0.0,
    onset: float = 0.0,
) -> SweepTable:
    """One experiment, 10 s per sweep, with the confounds of Brock et al. 2020."""
    fading = onset * np.exp(-np.arange(n_post) / 100.0)
    base = before.sample(n_baseline, n_pulses, rng)
    post = after.sample(
        n_post,
        n_pulses,
        rng,
        p=after.p + fading * (before.p - after.p),
        q=after.q + fading * (before.q - after.q),
    )
    amplitude = np.vstack([base, post])
    amplitude += noise * rng.standard_normal(amplitude.shape)
    amplitude[10] += outlier
    amplitude[:n_baseline] += trend * (np.arange(n_baseline) - (n_baseline - 1) / 2)[:, None]
    return table_of(amplitude, noise * rng.standard_normal(len(amplitude)), n_baseline=n_baseline)


def table_of(amplitude, noise, *, n_baseline: int, step_s: float = 10.0, pause_s: float = 300.0, **more) -> SweepTable:
    amplitude = np.asarray(amplitude, dtype=float)
    amplitude = amplitude[:, None] if amplitude.ndim == 1 else amplitude
    n = len(amplitude)
    time = step_s * np.arange(n) + np.where(np.arange(n) >= n_baseline, pause_s, 0.0)
    nothing = np.full(n, np.nan)
    values = {
        "unit": "mV",
        "phase": np.where(np.arange(n) < n_baseline, "baseline", "post"),
        "time_s": time,
        "amplitude": amplitude,
        "noise": np.asarray(noise, dtype=float),
        "interval_s": 0.05 * np.arange(amplitude.shape[1]),
        "rs_mohm": nothing,
        "rin_mohm": nothing,
        "holding": nothing,
        "excluded": ("ok",) * n,
        "file": ("a.abf",) * n,
        "sweep": np.arange(1, n + 1),
    }
    return SweepTable(**(values | more))


@pytest.fixture(scope="session")
def synapse() -> type[Synapse]:
    return Synapse


@pytest.fixture(scope="session")
def simulated() -> Callable[..., SweepTable]:
    return experiment


@pytest.fixture(scope="session")
def tabulate() -> Callable[..., SweepTable]:
    return table_of
