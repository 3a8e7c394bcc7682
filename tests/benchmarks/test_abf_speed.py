"""Reading all samples of a 48 MB ABF file against pyABF and neo, in one process, warm; imports are not counted."""

import statistics
import time

import numpy as np
import pyabf
import pytest

from ephysplast.io import load_samples, read, write_abf
from ephysplast.recording import ArrayTrace, Channel, Recording, Source

pytestmark = pytest.mark.benchmark

RATE_HZ, N_SWEEPS, N_SAMPLES = 20_000.0, 600, 20_000


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    path = tmp_path_factory.mktemp("speed") / "large.abf"
    rng = np.random.default_rng(17)
    size = (N_SWEEPS, N_SAMPLES)
    presynaptic = ArrayTrace(rng.normal(-66.0, 0.3, size), RATE_HZ)
    postsynaptic = ArrayTrace(rng.normal(-90.0, 8.0, size), RATE_HZ)
    channels = (
        Channel(name="pre", unit="mV", clamp="current", trace=presynaptic),
        Channel(name="post", unit="pA", clamp="voltage", trace=postsynaptic),
    )
    recording = Recording(
        channels=channels,
        rate_hz=RATE_HZ,
        sweep_start_s=np.arange(N_SWEEPS) * 10.0,
        sweep_lengths=channels[0].trace.lengths,
        source=Source(path=path, format="memory", reader="benchmark"),
    )
    write_abf(path, recording)
    assert path.stat().st_size == pytest.approx(48e6, rel=0.01)
    return path


def seconds(work):
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def ratios(peer, ours, n_runs):
    """Take both in turn, so that whatever else the machine does befalls both; the first turn warms up."""
    turns = [(seconds(ours), seconds(peer)) for _ in range(n_runs + 1)][1:]
    return statistics.median(theirs / mine for mine, theirs in turns), statistics.median(mine for mine, _ in turns)


def test_loading_everything(large):
    from neo.io import AxonIO

    def ours():
        load_samples(read(large))

    against_pyabf, ours_s = ratios(lambda: pyabf.ABF(str(large)), ours, 9)
    against_neo, _ = ratios(lambda: AxonIO(str(large)).read_block(), ours, 5)
    print(f"\nload 48 MB: {ours_s * 1e3:.0f} ms; pyABF {against_pyabf:.1f} ×, neo {against_neo:.0f} × as long")
    assert against_pyabf >= 2.5
    assert against_neo >= 20.0


def test_a_window_of_every_sweep_costs_little(large):
    trace = read(large).channels[1].trace
    ratio, window_s = ratios(lambda: pyabf.ABF(str(large)), lambda: trace.window(0.2, 0.3), 5)
    print(f"\n100 ms of 600 sweeps: {window_s * 1e3:.2f} ms; pyABF's load takes {ratio:.0f} × as long")
    # A tenth of one of two channels is a twentieth of the samples.
    assert ratio >= 20.0


def test_opening_reads_no_samples(large):
    ratio, opening_s = ratios(lambda: load_samples(read(large)), lambda: read(large), 9)
    print(f"\nopening: {opening_s * 1e3:.2f} ms; loading takes {ratio:.0f} × as long")
    assert ratio >= 4.0
