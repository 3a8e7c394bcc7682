"""Pairings, triplets and quadruplets of presynaptic and postsynaptic spikes."""

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.simulator._times import (
    bursts_at,
    check_counts,
    check_finite,
    check_positive,
    jitter_s,
    joined,
    rows,
    starts_of,
)
from ephysplast.simulator.protocol import Protocol


def pairing(
    *,
    dt_ms: float,
    frequency_hz: float,
    n_pairings: int,
    n_repeats: int = 1,
    repeat_interval_s: float = 10.0,
    n_pre: int = 1,
    n_post: int = 1,
    burst_hz: float = 100.0,
    dt_to_last: bool = False,
    jitter_ms: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Protocol:
    """Pair presynaptic and postsynaptic spikes, or bursts of them, at a fixed Δt.

    Parameters
    ----------
    dt_ms : float
        From the first presynaptic to the first postsynaptic spike of a pairing.
    frequency_hz : float
        Of the pairings.
    n_pairings : int
        In a row.
    n_repeats : int
        How often that row is given (15 × 5 pairings at 20 Hz every 10 s: ``n_pairings=5, n_repeats=15``).
    repeat_interval_s : float
        From the start of one row to the start of the next.
    n_pre, n_post : int
        Spikes of each cell in a pairing.
    burst_hz : float
        Their rate, when there are several.
    dt_to_last : bool
        Count Δt to the last spike of the postsynaptic burst, as some laboratories do.
    jitter_ms : float
        SD of a Gaussian scatter of Δt from pairing to pairing; needs `rng`.
    rng : numpy.random.Generator, optional
        For the jitter.

    Returns
    -------
    Protocol

    Raises
    ------
    SettingsError
        If a number is impossible, or bursts or rows run into each other.

    Examples
    --------
    >>> protocol = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5, n_repeats=15)
    >>> protocol.n_pre, protocol.post_s[:2].round(6).tolist()
    (75, [0.01, 0.06])
    >>> protocol.description
    '15 × 5 pairings at 20 Hz, Δt +10 ms'
    """
    starts = starts_of(n_pairings, frequency_hz, n_repeats, repeat_interval_s)
    check_positive(burst_hz=burst_hz)
    check_counts(n_pre=n_pre, n_post=n_post)
    check_finite(dt_ms=dt_ms)
    if (max(n_pre, n_post) - 1) / burst_hz >= 1.0 / frequency_hz:
        raise SettingsError(
            "a burst lasts longer than the time to the next pairing",
            got=f"{max(n_pre, n_post)} spikes at {burst_hz:g} Hz, pairings at {frequency_hz:g} Hz",
            remedy="raise burst_hz, or lower frequency_hz",
        )
    dt_s = (dt_ms + jitter_s(len(starts), jitter_ms, rng)) / 1e3
    late = (n_post - 1) / burst_hz if dt_to_last else 0.0
    bursts = (f"{n_pre} + {n_post} spikes at {burst_hz:g} Hz, " if max(n_pre, n_post) > 1 else "") + (
        f"jitter {jitter_ms:g} ms, " if jitter_ms else ""
    )
    to = " to the last spike" if dt_to_last and n_post > 1 else ""
    return Protocol(
        pre_s=bursts_at(starts, n_pre, burst_hz),
        post_s=bursts_at(starts + dt_s - late, n_post, burst_hz),
        description=f"{rows(n_pairings, n_repeats)} pairings at {frequency_hz:g} Hz, {bursts}Δt {dt_ms:+g} ms{to}",
    )


def triplets(
    *,
    dt1_ms: float,
    dt2_ms: float,
    frequency_hz: float = 1.0,
    n_triplets: int = 60,
) -> Protocol:
    """Three spikes at a time (Wang et al. 2005, doi:10.1038/nn1387).

    Parameters
    ----------
    dt1_ms, dt2_ms : float
        Δt of the first and of the second pair of neighbours. (+, −) is pre-post-pre, (−, +) is post-pre-post.
    frequency_hz : float
        Of the triplets.
    n_triplets : int
        How many.

    Returns
    -------
    Protocol

    Raises
    ------
    SettingsError
        If both Δt have the same sign, which is no triplet.

    Examples
    --------
    >>> triplets(dt1_ms=5.0, dt2_ms=-15.0, n_triplets=1).pre_s.tolist()
    [0.0, 0.02]
    >>> triplets(dt1_ms=-5.0, dt2_ms=5.0, n_triplets=1).post_s.tolist()
    [-0.005, 0.005]
    """
    starts = starts_of(n_triplets, frequency_hz, 1, 1.0)
    check_finite(dt1_ms=dt1_ms, dt2_ms=dt2_ms)
    if not dt1_ms * dt2_ms < 0.0:
        raise SettingsError(
            "these Δt make no triplet",
            got=f"dt1_ms {dt1_ms:g}, dt2_ms {dt2_ms:g}",
            wanted="+ and − for pre-post-pre, − and + for post-pre-post",
        )
    first, second = dt1_ms / 1e3, dt2_ms / 1e3
    pre_first = dt1_ms > 0
    pre = np.add.outer(starts, [0.0, first - second]) if pre_first else starts[:, None]
    post = starts[:, None] + first if pre_first else np.add.outer(starts, [first, second])
    order = "pre-post-pre" if pre_first else "post-pre-post"
    return Protocol(
        pre_s=joined(pre),
        post_s=joined(post),
        description=f"{n_triplets} triplets {order} ({dt1_ms:+g}, {dt2_ms:+g} ms) at {frequency_hz:g} Hz",
    )


def quadruplets(
    *,
    dt1_ms: float,
    dt2_ms: float,
    interval_ms: float,
    frequency_hz: float = 1.0,
    n_quadruplets: int = 60,
) -> Protocol:
    """Two pairs shortly after each other (Wang et al. 2005, doi:10.1038/nn1387).

    Parameters
    ----------
    dt1_ms, dt2_ms : float
        Δt of the first and of the second pair.
    interval_ms : float
        From the middle of the first pair to the middle of the second; positive.
    frequency_hz : float
        Of the quadruplets.
    n_quadruplets : int
        How many.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> protocol = quadruplets(dt1_ms=-5.0, dt2_ms=5.0, interval_ms=30.0, n_quadruplets=1)
    >>> protocol.pre_s.tolist(), protocol.post_s.tolist()
    ([0.0025, 0.0275], [-0.0025, 0.0325])
    """
    starts = starts_of(n_quadruplets, frequency_hz, 1, 1.0)
    check_finite(dt1_ms=dt1_ms, dt2_ms=dt2_ms)
    check_positive(interval_ms=interval_ms)
    half = np.array([dt1_ms, dt2_ms]) / 2e3
    middle = np.add.outer(starts, [0.0, interval_ms / 1e3])
    return Protocol(
        pre_s=joined(middle - half),
        post_s=joined(middle + half),
        description=f"{n_quadruplets} quadruplets ({dt1_ms:+g}, {dt2_ms:+g} ms, {interval_ms:g} ms apart) "
        f"at {frequency_hz:g} Hz",
    )
