"""Trains of spikes: theta bursts, one cell alone, both regular, irregular, or as they were recorded."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray
from ephysplast.simulator._times import bursts_at, check_counts, check_finite, check_positive, rows, starts_of
from ephysplast.simulator.protocol import REST_MV, Depolarisation, Protocol

_NO_SPIKES: Final = np.empty(0)


def theta_burst(
    *,
    n_bursts: int = 10,
    n_spikes: int = 4,
    burst_hz: float = 100.0,
    theta_hz: float = 5.0,
    n_trains: int = 1,
    train_interval_s: float = 10.0,
    dt_ms: float | None = None,
) -> Protocol:
    """Theta-burst stimulation: short bursts at theta frequency.

    Parameters
    ----------
    n_bursts, n_spikes : int
        Bursts in a train, spikes in a burst.
    burst_hz, theta_hz : float
        Rate within a burst, and of the bursts.
    n_trains : int
        How often the train is given.
    train_interval_s : float
        From the start of one train to the start of the next.
    dt_ms : float, optional
        The postsynaptic cell fires with every presynaptic spike, this much later; None when it does not fire.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> theta_burst().description
    'theta burst: 10 bursts of 4 spikes at 100 Hz, bursts at 5 Hz, presynaptic only'
    """
    starts = starts_of(n_bursts, theta_hz, n_trains, train_interval_s)
    check_positive(burst_hz=burst_hz)
    check_counts(n_spikes=n_spikes)
    if (n_spikes - 1) / burst_hz >= 1.0 / theta_hz:
        raise SettingsError(
            "a burst lasts longer than the time to the next one",
            got=f"{n_spikes} spikes at {burst_hz:g} Hz, bursts at {theta_hz:g} Hz",
        )
    pre = bursts_at(starts, n_spikes, burst_hz)
    trains = f"{n_trains} × " if n_trains > 1 else ""
    with_post = "presynaptic only" if dt_ms is None else f"postsynaptic spikes at Δt {dt_ms:+g} ms"
    if dt_ms is not None:
        check_finite(dt_ms=dt_ms)
    return Protocol(
        pre_s=pre,
        post_s=_NO_SPIKES if dt_ms is None else pre + dt_ms / 1e3,
        description=f"theta burst: {trains}{n_bursts} bursts of {n_spikes} spikes at {burst_hz:g} Hz, "
        f"bursts at {theta_hz:g} Hz, {with_post}",
    )


def pre_alone(*, frequency_hz: float, n_spikes: int, n_trains: int = 1, train_interval_s: float = 10.0) -> Protocol:
    """Trains of presynaptic spikes; the postsynaptic cell is silent.

    Parameters
    ----------
    frequency_hz : float
        Rate in a train.
    n_spikes : int
        In a train.
    n_trains : int
        How often the train is given.
    train_interval_s : float
        From the start of one train to the start of the next.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> pre_alone(frequency_hz=100.0, n_spikes=100, n_trains=4).n_pre
    400
    """
    times = starts_of(n_spikes, frequency_hz, n_trains, train_interval_s)
    return Protocol(pre_s=times, description=f"{rows(n_spikes, n_trains)} presynaptic spikes at {frequency_hz:g} Hz")


def post_alone(*, frequency_hz: float, n_spikes: int, n_trains: int = 1, train_interval_s: float = 10.0) -> Protocol:
    """Trains of postsynaptic spikes; the presynaptic cell is silent. Arguments as :func:`pre_alone`.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> post_alone(frequency_hz=50.0, n_spikes=5, n_trains=10).description
    '10 × 5 postsynaptic spikes at 50 Hz'
    """
    times = starts_of(n_spikes, frequency_hz, n_trains, train_interval_s)
    return Protocol(post_s=times, description=f"{rows(n_spikes, n_trains)} postsynaptic spikes at {frequency_hz:g} Hz")


def trains(
    *, pre_hz: float, post_hz: float, duration_s: float, n_trains: int = 1, train_interval_s: float = 10.0
) -> Protocol:
    """Regular trains of both cells, each at its own rate, starting together; a rate of 0 is a silent cell.

    Parameters
    ----------
    pre_hz, post_hz : float
        Rates.
    duration_s : float
        Of a train.
    n_trains : int
        How often it is given.
    train_interval_s : float
        From the start of one train to the start of the next.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> trains(pre_hz=10.0, post_hz=20.0, duration_s=1.0).n_post
    20
    """
    check_positive(duration_s=duration_s)
    sides = []
    for name, rate in (("pre_hz", pre_hz), ("post_hz", post_hz)):
        if not 0.0 <= rate < np.inf:
            raise SettingsError(f"{name} is not possible", got=str(rate), wanted="0 or more")
        # A spike that would fall on the very end belongs to what comes after the train.
        n_spikes = int(np.ceil(duration_s * rate - 1e-9))
        sides.append(starts_of(n_spikes, rate, n_trains, train_interval_s) if n_spikes else _NO_SPIKES)
    return Protocol(
        pre_s=sides[0],
        post_s=sides[1],
        description=f"{rows('', n_trains)}{duration_s:g} s of {pre_hz:g} Hz presynaptic, {post_hz:g} Hz postsynaptic",
    )


def steady_depolarisation(*, v_mv: float, duration_s: float, frequency_hz: float) -> Protocol:
    """Presynaptic spikes while the postsynaptic cell is held at a potential, and does not fire.

    Parameters
    ----------
    v_mv : float
        The potential.
    duration_s : float
        How long.
    frequency_hz : float
        Of the presynaptic spikes.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> protocol = steady_depolarisation(v_mv=-40.0, duration_s=60.0, frequency_hz=0.5)
    >>> protocol.n_pre, protocol.potential_mv(np.array([1.0, 61.0])).tolist()
    (30, [-40.0, -70.0])
    """
    check_positive(duration_s=duration_s, frequency_hz=frequency_hz)
    n_spikes = max(int(np.ceil(duration_s * frequency_hz - 1e-9)), 1)
    return Protocol(
        pre_s=starts_of(n_spikes, frequency_hz, 1, 1.0),
        depolarisations=(Depolarisation(start_s=0.0, stop_s=duration_s, v_mv=v_mv),),
        description=f"{duration_s:g} s at {v_mv:g} mV with {n_spikes} presynaptic spikes at {frequency_hz:g} Hz",
    )


def poisson(
    *, pre_hz: float, post_hz: float, duration_s: float, rng: np.random.Generator, refractory_ms: float = 0.0
) -> Protocol:
    """Irregular firing of both cells, independent of each other, made by elephant's Poisson process.

    Parameters
    ----------
    pre_hz, post_hz : float
        Rates; 0 is a silent cell.
    duration_s : float
        How long.
    rng : numpy.random.Generator
        For the spike times.
    refractory_ms : float
        No spike follows another sooner than this.

    Returns
    -------
    Protocol

    Examples
    --------
    >>> protocol = poisson(pre_hz=10.0, post_hz=0.0, duration_s=100.0, rng=np.random.default_rng(1))
    >>> 850 < protocol.n_pre < 1150, protocol.n_post
    (True, 0)
    """
    check_positive(duration_s=duration_s)
    sides = []
    for name, rate in (("pre_hz", pre_hz), ("post_hz", post_hz)):
        if not 0.0 <= rate < np.inf or rate * refractory_ms / 1e3 >= 1.0 or refractory_ms < 0.0:
            raise SettingsError(
                f"{name} is not possible",
                got=f"{rate:g} Hz with {refractory_ms:g} ms after each spike",
                wanted="0 or more, and slower than one spike each refractory_ms",
            )
        sides.append(_poisson_train(rate, duration_s, refractory_ms, rng))
    return Protocol(
        pre_s=sides[0],
        post_s=sides[1],
        description=f"{duration_s:g} s of Poisson firing, {pre_hz:g} Hz presynaptic, {post_hz:g} Hz postsynaptic",
    )


def recorded(
    *,
    pre_s: Any,
    post_s: Any,
    depolarisations: Sequence[Depolarisation] = (),
    rest_mv: float = REST_MV,
    description: str = "",
) -> Protocol:
    """Take spike times as they were recorded, such as ``pre_s`` and ``post_s`` of an induction that was measured.

    Parameters
    ----------
    pre_s, post_s : array_like or quantities.Quantity, shape (n_spikes,)
        In s, sorted.
    depolarisations : sequence of Depolarisation
        Where the postsynaptic cell was not at rest.
    rest_mv : float
        Potential elsewhere.
    description : str
        For tables and figures; by default the numbers of spikes.

    Returns
    -------
    Protocol

    Raises
    ------
    EphysplastError
        If times are not sorted, occur twice, or are NaN.

    Examples
    --------
    >>> recorded(pre_s=[0.1, 0.2], post_s=[0.11]).description
    'recorded: 2 presynaptic and 1 postsynaptic spikes'
    """
    made = Protocol(pre_s=pre_s, post_s=post_s, depolarisations=tuple(depolarisations), rest_mv=rest_mv)
    said = description or f"recorded: {made.n_pre} presynaptic and {made.n_post} postsynaptic spikes"
    return replace(made, description=said)


def _poisson_train(rate_hz: float, duration_s: float, refractory_ms: float, rng: np.random.Generator) -> FloatArray:
    if rate_hz == 0.0:
        return _NO_SPIKES
    import quantities as pq
    from elephant.spike_train_generation import StationaryPoissonProcess

    process = StationaryPoissonProcess(
        rate=rate_hz * pq.Hz,
        t_start=0.0 * pq.s,
        t_stop=duration_s * pq.s,
        refractory_period=refractory_ms * pq.ms if refractory_ms else None,
        equilibrium=not refractory_ms,  # with dead time it would draw from NumPy's global generator
    )
    process.isi_generator.random_state = rng
    times = process.generate_spiketrain(as_array=True)
    return np.unique(np.asarray(times, dtype=np.float64))
