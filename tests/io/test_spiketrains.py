"""Spike trains leave as neo objects on the recording's clock."""

from types import SimpleNamespace

import neo
import numpy as np
import pytest
import quantities as pq
from elephant import statistics
from hypothesis import given, settings
from hypothesis import strategies as st

import ephysplast.io
from ephysplast.errors import EphysplastError
from ephysplast.io.neo_bridge import to_spiketrains

STARTS_S = np.array([0.0, 10.0, 400.5])


def test_plain_arrays():
    trains = to_spiketrains(
        [np.array([0.2, 0.3]), np.array([]), np.array([0.15])],
        sweep_start_s=STARTS_S,
        start_s=0.1,
        stop_s=np.array([0.6, 0.6, 0.2]),
        annotations={"cell": "c1"},
    )
    assert all(isinstance(each, neo.SpikeTrain) for each in trains)
    assert [each.magnitude.tolist() for each in trains] == [[0.2, 0.3], [], [400.65]]
    assert [float(each.t_start) for each in trains] == [0.1, 10.1, 400.6]
    # 400.5 + 0.2 is not exact in binary.
    np.testing.assert_allclose([float(each.t_stop) for each in trains], [0.6, 10.6, 400.7], rtol=1e-12)
    assert [each.annotations for each in trains] == [{"cell": "c1", "sweep": sweep} for sweep in range(3)]
    assert {str(each.units.dimensionality) for each in trains} == {"s"}


def test_a_result_brings_its_sweeps_and_windows_and_what_was_not_looked_at_has_no_train():
    result = SimpleNamespace(
        trains=lambda: (np.array([0.5]), np.array([])),
        sweeps=np.array([2, 0]),
        start_s=np.array([0.4, np.nan]),
        stop_s=np.array([0.9, np.nan]),
    )
    (train,) = ephysplast.io.to_spiketrains(result, sweep_start_s=STARTS_S)
    assert train.magnitude.tolist() == [401.0]
    assert (float(train.t_start), float(train.t_stop)) == (400.9, 401.4)
    assert train.annotations["sweep"] == 2


def test_elephant_takes_them():
    (train,) = to_spiketrains([np.arange(1, 6) * 0.1], sweep_start_s=STARTS_S[2:], start_s=0.0, stop_s=1.0)
    assert float(statistics.mean_firing_rate(train).rescale("Hz")) == pytest.approx(5.0)
    assert float(statistics.cv(statistics.isi(train.magnitude))) == pytest.approx(0.0, abs=1e-9)


def test_quantities_are_taken():
    (train,) = to_spiketrains([np.array([0.2])], sweep_start_s=STARTS_S[:1], start_s=100 * pq.ms, stop_s=0.6 * pq.s)
    assert float(train.t_start) == pytest.approx(0.1)


@settings(max_examples=25, deadline=None)
@given(times=st.lists(st.floats(0.0, 1.0), max_size=20), shift=st.floats(0.0, 1e5))
def test_a_later_sweep_only_shifts(times, shift):
    times = np.sort(np.array(times))
    (train,) = to_spiketrains([times], sweep_start_s=np.array([shift]), start_s=0.0, stop_s=1.0)
    # Doubles hold times of 1e5 s to 1e-11 s.
    np.testing.assert_allclose(train.magnitude - shift, times, atol=1e-10)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"start_s": 0.0}, "stop_s"),
        ({"start_s": 0.0, "stop_s": np.array([1.0, 1.0])}, "one number per train"),
        ({"start_s": 0.4, "stop_s": 1.0}, "outside"),
        ({"start_s": 0.0, "stop_s": 0.25}, "outside"),
        ({"start_s": 0.0, "stop_s": 1.0, "sweeps": [0, 1]}, "one number per train"),
        ({"start_s": 0.0, "stop_s": 1.0, "sweeps": [3]}, "no such sweep"),
    ],
)
def test_mistakes_are_named(wrong, word):
    with pytest.raises(EphysplastError, match=word):
        to_spiketrains([np.array([0.2, 0.3])], sweep_start_s=STARTS_S, **wrong)
