"""The whole way through on recordings that nobody here made."""

from pathlib import Path

import numpy as np
import pytest

from ephysplast.errors import ChannelError
from ephysplast.experiment import Experiment, Pathway, Segment
from ephysplast.io import read
from ephysplast.study import analyse_experiment, settings_from


def experiment(path: Path, *, baseline: str, post: str, response: str = "EPSC", **columns: object) -> Experiment:
    segments = tuple(
        Segment(path=path, phase=phase, sweeps=sweeps, **columns)
        for phase, sweeps in (("baseline", baseline), ("post", post))
    )
    return Experiment(name=path.stem, response=response, pathways=(Pathway(segments=segments),))


def test_a_neuromuscular_junction_that_runs_down_is_refused(recordings):
    # Read as the figures beside the file were: the extremum 3–40 ms after the stimulus against the mean before it.
    settings = settings_from(
        {
            "responses": {"operator": "extremum", "search_start_ms": 3.0, "search_stop_ms": 40.0, "after_ms": 60.0},
        }
    )
    path = recordings / "A_EJC_40sweeps.abf"
    result = analyse_experiment(experiment(path, baseline="1-30", post="31-40", channel="I2"), settings=settings)
    table = result.pathways["test"].table
    assert result.verdict.sign == "refused"
    assert "unstable" in result.verdict.status
    # −17.9 nA in the file is 17,900 pA here, inward and so positive; the index rounds to 0.1 nA (0.6 %).
    assert table.unit == "pA"
    amplitude = table.amplitude[:, 0]
    assert np.nanmean(amplitude) == pytest.approx(17_900, rel=0.01)
    assert np.nanmean(amplitude[-10:]) / np.nanmean(amplitude[:10]) == pytest.approx(16.3 / 20.4, abs=0.01)


@pytest.mark.parametrize("seed", range(2))
def test_raised_calcium_at_a_mossy_fibre_is_presynaptic(recordings, seed):
    # 1.2 → 2.5 mM Ca²⁺ raises release probability by construction, although the paired-pulse ratio rises.
    path = recordings / "chamberland2014_MF-CA3_1.2to2.5mMCa_5at50Hz.nwb"
    times = "0.016; 0.036; 0.056; 0.076; 0.096"
    calcium = read(path).recordings
    one = len(calcium) == 1
    segments = (
        Segment(path=path, phase="baseline", sweeps="1-20" if one else "", recording=1, stimulus=times),
        Segment(path=path, phase="post", sweeps="21-40" if one else "", recording=1 if one else 2, stimulus=times),
    )
    asked = Experiment(name="mossy fibre", response="EPSC", pathways=(Pathway(segments=segments),))
    result = analyse_experiment(asked, settings=settings_from({"seed": seed}))
    assert result.verdict.sign == "LTP"
    assert result.verdict.locus in ("pre", "pre-or-silent")
    chances = result.verdict.locus_probabilities
    assert chances["p"] + chances["n"] >= 0.95
    phases = result.pathways["test"].phases
    before, after = (np.nanmean(phases[name].responses.amplitude, axis=0) for name in ("baseline", "post"))
    # The published group grows at every pulse (3.6-fold at the first, 3.6-fold at the last) and facilitates in both.
    assert (after > 2.0 * before).all()
    assert (np.diff(before) > 0).all()
    assert (np.diff(after) > 0).all()
    assert after[1] / after[0] > before[1] / before[0]  # the paired-pulse ratio rises


def test_a_channel_with_an_impossible_unit_is_refused_until_it_is_corrected(recordings):
    path = recordings / "G_bad_units_pA_is_mV.abf"
    asked = experiment(path, baseline="1-3", post="4-7", stimulus="0.5")
    with pytest.raises(ChannelError, match="unit"):
        analyse_experiment(asked)


def test_tags_choose_sweeps(recordings):
    from ephysplast.experiment import select_sweeps

    recording = read(recordings / "A_TGOT_tags_abf1.abf").recordings[0]
    chosen = select_sweeps("after:+TGOT; before:-TGOT", recording)
    assert [chosen[0], chosen[-1]] == [87, 147]  # the index gives the tags at 86.99 and 147.43 sweeps
