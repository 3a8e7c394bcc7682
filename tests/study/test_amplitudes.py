"""Tables of amplitudes from another program: what they are read as, what they are refused for, and the verdict.

The tables are drawn here, with numpy's binomial numbers, so that their truth is known.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.classify import ClassifyConfig
from ephysplast.classify.locus import LocusConfig
from ephysplast.errors import EphysplastError
from ephysplast.quantal import PosteriorConfig
from ephysplast.study.amplitudes import judge_amplitudes, read_amplitudes

QUICK = ClassifyConfig(
    locus=LocusConfig(posterior=PosteriorConfig(n_first=100, n_round=50, n_rounds=1, effective=10.0))
)
"""The least effort: enough where the posterior itself is not what is tested."""
CALLS = ("pre", "pre-or-silent", "post", "post-or-chloride", "chloride", "mixed")


def quanta(rng, n, p, q, sweeps, *, pulses=1, cv=0.2):
    """Draw summed quanta, shape (sweeps, pulses); a site that released is full again with probability 0.2."""
    full, responses = np.full(sweeps, n), []
    for _ in range(pulses):
        released = rng.binomial(full, p)
        responses.append(q * released + cv * q * np.sqrt(released) * rng.normal(size=sweeps))
        empty = n - (full - released)
        full = n - empty + rng.binomial(empty, 0.2)
    return np.stack(responses, axis=1)


def cell(seed, before, after, *, sweeps=(60, 120), pulses=1, noise=1.5, cv=0.2):
    """Return the long table of one cell: inward currents in pA, sweeps 10 s apart, 3 min for the induction."""
    rng = np.random.default_rng(seed)
    phases = zip((before, after), sweeps, strict=True)
    amplitude = -np.concatenate([quanta(rng, *each, n, pulses=pulses, cv=cv) for each, n in phases])
    amplitude += rng.normal(0.0, noise, amplitude.shape)
    n = sum(sweeps)
    return pd.DataFrame(
        {
            "sweep": np.repeat(np.arange(1, n + 1), pulses),
            "time_s": np.repeat(10.0 * np.arange(n) + 180.0 * (np.arange(n) >= sweeps[0]), pulses),
            "phase": np.repeat(["baseline", "post"], np.array(sweeps) * pulses),
            "pulse": np.tile(np.arange(1, pulses + 1), n),
            "amplitude_pA": amplitude.reshape(-1),
            "noise_pA": np.repeat(rng.normal(0.0, noise, n), pulses),
        }
    )


def written(table, folder, **how):
    path = folder / "table.csv"
    table.to_csv(path, index=False, **how)
    return path


def read_one(table, folder, **how):
    (found,) = read_amplitudes(written(table, folder), **how)
    return found


def judged(found, *, config=QUICK, seed=1, **how):
    return judge_amplitudes(found, rng=np.random.default_rng(seed), config=config, **how)


@pytest.fixture(scope="module")
def grown():
    """A cell whose quanta grow: four sites, and peaks in the histogram."""
    return cell(1, (4, 0.5, 10.0), (4, 0.5, 18.0), sweeps=(80, 160), noise=1.0, cv=0.05)


@pytest.fixture(scope="module")
def paired():
    """The same with more quantal variability and a second pulse."""
    return cell(5, (6, 0.5, 10.0), (6, 0.5, 18.0), pulses=2)


# ---- the verdict


def test_a_rise_of_release_probability_is_called_presynaptic(tmp_path):
    table = cell(3, (6, 0.15, 10.0), (6, 0.6, 10.0), sweeps=(80, 160), noise=1.0)
    verdict = judged(read_one(table, tmp_path), config=None)
    # At n 6, p .15 → .6 CV⁻² goes × 8.5 while the mean goes × 4: neither sites nor quanta can do that.
    assert (verdict.sign, verdict.locus) == ("LTP", "pre")
    assert verdict.change == pytest.approx(4.0, rel=0.4)  # CV 1 of 80 sweeps and .35 of 60: SE 12 %, three of them
    assert {each.name: each.outcome for each in verdict.quality}["R_s"] == "not testable"


def test_a_growth_of_quanta_is_called_postsynaptic(grown, tmp_path):
    verdict = judged(read_one(grown, tmp_path), config=None)
    assert (verdict.sign, verdict.locus) == ("LTP", "post")
    q = next(each for each in verdict.release if each.locus == "q")
    # Noise of 1 pA over 240 sweeps of mostly one to three quanta: SE below 1 %; drift is allowed for besides.
    assert q.q_before.value == pytest.approx(10.0, rel=0.03)
    assert q.q_after.value == pytest.approx(18.0, rel=0.03)


def test_ipscs_have_a_driving_force(grown, tmp_path):
    verdict = judged(read_one(grown, tmp_path, response="ipsc"))
    assert "E_GABA was not measured" in verdict.locus_sentence


def test_light_makes_the_second_pulse_mute(paired, tmp_path):
    found = read_one(paired.assign(opsin="yes"), tmp_path)
    assert found.about.opsin
    assert "light" in next(each for each in judged(found).evidence if each.index == "PPR").sentence


def test_a_drifting_baseline_is_warned_of_and_refused_on_demand(grown, tmp_path):
    drifting = grown.copy()
    baseline = drifting["phase"] == "baseline"
    drifting.loc[baseline, "amplitude_pA"] *= np.linspace(1.4, 0.6, int(baseline.sum()))
    found = read_one(drifting, tmp_path)
    warned, refused = judged(found), judged(found, refuse_drift=True)
    assert (warned.sign, refused.sign) == ("LTP", "refused")
    assert "unstable" in warned.sign_sentence
    (gate,) = [each for each in warned.quality if each.name == "baseline"]
    assert gate.outcome == "warn"


# ---- the same numbers in other clothes


def same(one, other, *, rtol=0.0):
    """Compare two tables of sweeps; a change of unit may round the last digit."""
    assert (one.unit, one.excluded) == (other.unit, other.excluded)
    assert one.phase.tolist() == other.phase.tolist()
    for name in ("time_s", "amplitude", "noise", "sweep"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=rtol, err_msg=name)


def test_inward_and_outward_currents_give_the_same_verdict(tmp_path):
    grown = cell(1, (4, 0.5, 10.0), (4, 0.5, 18.0), sweeps=(25, 40), noise=1.0)
    inward = read_one(grown, tmp_path)
    outward = read_one(grown.assign(amplitude_pA=-grown["amplitude_pA"], noise_pA=-grown["noise_pA"]), tmp_path)
    same(inward.table, outward.table)
    assert any("responses are negative" in each for each in inward.sentences)
    assert any("responses are positive" in each for each in outward.sentences)
    first, second = judged(inward), judged(outward)
    assert first.locus_probabilities == second.locus_probabilities
    assert first.sign_sentence == second.sign_sentence


@pytest.mark.parametrize("how", ["header", "column", "told", "mixed"])
def test_nanoamperes_are_picoamperes(paired, tmp_path, how):
    expected = read_one(paired, tmp_path).table
    columns = {"amplitude_pA": "amplitude (nA)", "noise_pA": "noise (nA)"}
    small = paired.assign(amplitude_pA=paired["amplitude_pA"] / 1e3, noise_pA=paired["noise_pA"] / 1e3)
    small = small.rename(columns=columns if how == "header" else {name: name.split("_")[0] for name in columns})
    told = {"unit": "nA"} if how == "told" else {}
    if how in ("column", "mixed"):
        small["unit"] = "nA"
    if how == "mixed":
        half = small.index % 3 == 0
        small.loc[half, ["amplitude", "noise"]] *= 1e3
        small.loc[half, "unit"] = "pA"
    same(read_one(small, tmp_path, **told).table, expected, rtol=1e-12)


def test_one_column_per_pulse_is_one_row_per_pulse(paired, tmp_path):
    long = read_one(paired, tmp_path)
    wide = paired.pivot_table(index=["sweep", "time_s", "phase", "noise_pA"], columns="pulse", values="amplitude_pA")
    wide = wide.reset_index().sort_values("sweep").rename(columns={1: "Peak1 (pA)", 2: "Peak2 (pA)"})
    found = read_one(wide, tmp_path)
    same(found.table, long.table)
    assert any("looked for in every sweep anew" in each for each in found.sentences)
    same(read_one(wide.rename(columns=lambda name: name.replace("Peak", "amplitude")), tmp_path).table, long.table)
    statistics = wide.rename(columns={"Peak1 (pA)": "R1S1 Mean (pA)", "Peak2 (pA)": "R2S1 Mean (pA)"})
    with pytest.raises(EphysplastError, match="several columns may hold amplitudes"):
        read_one(statistics, tmp_path)  # the second region may be the noise
    columns = {"amplitude1": "R1S1 Mean (pA)", "amplitude2": "R2S1 Mean (pA)"}
    same(read_one(statistics, tmp_path, columns=columns).table, long.table)


def test_clampfits_own_names_are_known(paired, tmp_path):
    first = paired[paired["pulse"] == 1].drop(columns="pulse").assign(time_s=lambda rows: 1e3 * rows["time_s"])
    names = {"sweep": "Trace", "time_s": "Trace Start (ms)", "amplitude_pA": "R1S1 Mean (pA)", "noise_pA": "Noise (pA)"}
    found = read_one(first.rename(columns=names), tmp_path).table
    expected = read_one(paired, tmp_path).table
    same(found, replace(expected, amplitude=expected.amplitude[:, :1]), rtol=1e-12)


def test_decimal_commas_semicolons_and_xlsx(paired, tmp_path):
    expected = read_one(paired, tmp_path).table
    path = tmp_path / "table.csv"
    paired.to_csv(path, sep=";", decimal=",", index=False, encoding="utf-16")
    same(read_amplitudes(path)[0].table, expected)
    paired.to_excel(tmp_path / "table.xlsx", index=False)
    same(read_amplitudes(tmp_path / "table.xlsx")[0].table, expected, rtol=1e-15)


def test_minutes_are_read_and_a_time_without_a_unit_is_asked_for(paired, tmp_path):
    expected = read_one(paired, tmp_path).table
    minutes = paired.assign(time_s=paired["time_s"] / 60.0)
    same(read_one(minutes.rename(columns={"time_s": "time (min)"}), tmp_path).table, expected, rtol=1e-12)
    bare = minutes.rename(columns={"time_s": "time"})
    with pytest.raises(EphysplastError, match=r"'time' does not say in which unit.*--time-unit"):
        read_one(bare, tmp_path)
    same(read_one(bare, tmp_path, time_unit="min").table, expected, rtol=1e-12)


def test_rows_may_stand_in_any_order(paired, tmp_path):
    shuffled = paired.sample(frac=1.0, random_state=3)
    same(read_one(shuffled, tmp_path).table, read_one(paired, tmp_path).table)


def test_clocks_that_start_anew_in_each_phase_are_laid_end_to_end(paired, tmp_path):
    restarted = paired.copy()
    post = restarted["phase"] == "post"
    restarted.loc[post, "time_s"] -= restarted.loc[post, "time_s"].min()
    restarted.loc[post, "sweep"] -= 60  # the sweeps of the second file count from 1 too
    found = read_one(restarted, tmp_path)
    np.testing.assert_allclose(found.table.time_s, 10.0 * np.arange(180))
    assert any("laid end to end" in each for each in found.sentences)
    np.testing.assert_array_equal(found.table.amplitude, read_one(paired, tmp_path).table.amplitude)


def test_without_times_only_the_order_counts_and_no_minute_is_named(grown, tmp_path):
    found = read_one(grown.drop(columns="time_s"), tmp_path)
    assert not found.timed
    assert any("the order of the sweeps is all that is known" in each for each in found.sentences)
    verdict = judged(found, config=None)
    # The whole of the post phase against the baseline, nothing left to settle.
    amplitude = found.table.amplitude[:, 0]
    assert verdict.change == pytest.approx(amplitude[80:].mean() / amplitude[:80].mean())
    assert verdict.locus == "post"
    said = " ".join([verdict.sign_sentence, verdict.locus_sentence, *(each.sentence for each in verdict.quality)])
    assert "in all post sweeps" in said
    assert "the table has no times" in said
    assert " min" not in said


def test_the_response_may_stand_in_the_name_of_its_column(paired, tmp_path):
    named = paired.rename(columns={"amplitude_pA": "IPSC (pA)"})
    assert read_one(named, tmp_path).about.response == "IPSC"
    assert read_one(named.assign(response="epsc"), tmp_path).about.response == "EPSC"
    potential = paired.rename(columns={"amplitude_pA": "amplitude (mV)", "noise_pA": "noise"})
    assert read_one(potential, tmp_path).about.response == "EPSP"


def test_what_is_held_is_not_guessed(paired, tmp_path):
    held = read_one(paired.assign(holding=-70.0, rs_mohm=12.0), tmp_path)
    assert np.isnan(held.table.holding).all()
    assert (held.table.rs_mohm == 12.0).all()


def test_words_for_phases(paired, tmp_path):
    words = {"baseline": "Control", "post": "after"}
    found = read_one(paired.replace({"phase": words}), tmp_path)
    assert "'Control' is taken for baseline" in found.sentences
    odd = paired.replace({"phase": {"baseline": "1.2 mM", "post": "2.5 mM"}})
    with pytest.raises(EphysplastError, match=r"'phase' names no phase.*'1.2 mM' in row 2.*--baseline"):
        read_one(odd, tmp_path)
    odd.loc[odd.index[-20:], "phase"] = "wash"
    found = read_one(odd, tmp_path, baseline="1.2 mM", post="2.5 MM")
    assert (found.table.phase == "baseline").sum() == 60
    assert "left out: 'wash' (20 rows)" in found.sentences


def test_a_stated_sd_of_the_noise_is_as_good_as_readings(grown, tmp_path):
    bare = grown.drop(columns="noise_pA")
    for found in (
        read_one(bare, tmp_path, noise_sd=1.0),
        read_one(bare.assign(noise_sd=1.0), tmp_path),
        read_one(bare.assign(**{"noise_sd (nA)": 0.001}), tmp_path),
    ):
        for phase in ("baseline", "post"):
            assert found.table.noise[found.table.phase == phase].std(ddof=1) == pytest.approx(1.0)
    assert judged(found, config=None).locus == "post"
    unmeasured = judged(read_one(bare, tmp_path))
    assert unmeasured.locus == "undetermined"
    assert "noise" in unmeasured.locus_sentence


def test_a_stated_noise_holds_where_every_other_sweep_is_left_out(grown, tmp_path):
    odd = grown.drop(columns="noise_pA").assign(exclude=np.where(grown["sweep"] % 2, "other pathway", ""))
    for found in (read_one(odd, tmp_path, noise_sd=2.0), read_one(odd.assign(noise_sd=2.0), tmp_path)):
        for phase in ("baseline", "post"):
            used = found.table.noise[found.table.used & (found.table.phase == phase)]
            assert used.std(ddof=1) == pytest.approx(2.0)


def test_excluded_sweeps_do_not_count(grown, tmp_path):
    odd = grown.assign(exclude="")
    odd.loc[odd["sweep"] == 3, ["exclude", "amplitude_pA"]] = ["seizure", 4000.0]
    odd.loc[odd["sweep"] == 4, "exclude"] = "yes"
    found = read_one(odd, tmp_path)
    assert found.table.excluded[1:5] == ("ok", "seizure", "rejected in the table", "ok")
    assert int(found.table.used.sum()) == 238


def test_several_cells_are_told_apart_and_one_bad_one_stops_nothing(paired, tmp_path):
    broken = paired.assign(cell="b", amplitude_pA=paired["amplitude_pA"].astype(object))
    broken.loc[7, "amplitude_pA"] = "huge"
    outward = paired.assign(cell="c", amplitude_pA=-paired["amplitude_pA"], noise_pA=-paired["noise_pA"])
    path = written(pd.concat([paired.assign(cell="a"), broken, outward]), tmp_path)
    failed = []
    found = read_amplitudes(path, on_error=lambda name, error: failed.append((name, str(error))))
    assert [each.name for each in found] == ["a", "c"]
    same(found[0].table, found[1].table)  # each has its own direction
    ((name, said),) = failed
    assert name == "b"
    assert f"'huge' in row {len(paired) + 9}" in said  # the header, one cell, and seven rows before it
    with pytest.raises(EphysplastError, match="'amplitude_pA' is not a number"):
        read_amplitudes(path)


def test_later_pulses_that_a_phase_lacks_are_left_out(paired, tmp_path):
    lacking = paired[(paired["phase"] == "baseline") | (paired["pulse"] == 1)]
    found = read_one(lacking, tmp_path)
    assert found.table.n_pulses == 1
    assert any("from pulse 2 on" in each for each in found.sentences)
    train = read_one(cell(2, (10, 0.3, 10.0), (10, 0.6, 10.0), pulses=4), tmp_path)
    assert train.table.n_pulses == 4
    assert "redistribution" in {each.index for each in judged(train).evidence}


def test_missing_rows_and_cells_are_missing_responses(paired, tmp_path):
    gaps = paired.drop(index=paired.index[(paired["sweep"] == 5) & (paired["pulse"] == 2)])
    gaps.loc[(gaps["sweep"] == 9) & (gaps["pulse"] == 1), "amplitude_pA"] = np.nan
    found = read_one(gaps, tmp_path)
    assert np.argwhere(np.isnan(found.table.amplitude)).tolist() == [[4, 1], [8, 0]]
    assert any("1 sweep without the second pulse" in each for each in found.sentences)
    assert int(found.table.used.sum()) == 179


# ---- bad tables: an error that names the column, or no call


def row(table, index, **cells):
    changed = table.astype(object)
    for name, value in cells.items():
        changed.loc[index, name] = value
    return changed


BAD = {
    "empty": (lambda table: table.iloc[:0], "has no rows"),
    "no amplitudes": (lambda table: table.drop(columns="amplitude_pA"), "no column holds amplitudes"),
    "no phases": (lambda table: table.drop(columns="phase"), "no column says which phase"),
    "one phase": (
        lambda table: table[table["phase"] == "post"],
        r"'phase' has no baseline sweeps.*'post' \(240 rows\)",
    ),
    "a typing error": (lambda table: row(table, 4, phase="psot"), "'phase' names no phase.*'psot' in row 6"),
    "two words": (lambda table: row(table, 4, phase="control"), "several words in the column 'phase' mean baseline"),
    "text": (lambda table: row(table, 2, amplitude_pA="n.s."), "'amplitude_pA' is not a number.*'n.s.' in row 4"),
    "text in the noise": (lambda table: row(table, 2, noise_pA="high"), "'noise_pA' is not a number.*row 4"),
    "absurd": (lambda table: row(table, 2, amplitude_pA="1e308"), "'amplitude_pA' is out of all measure.*row 4"),
    "infinite": (lambda table: row(table, 2, amplitude_pA="inf"), "'amplitude_pA' is not a number.*row 4"),
    "no time": (lambda table: row(table, [4, 5], time_s=""), "'time_s' is no time.*row 6"),
    "sweep 1.5": (lambda table: row(table, 4, sweep=1.5), "'sweep' is no number of a sweep.*'1.5' in row 6"),
    "pulse 0": (lambda table: row(table, 4, pulse=0), "'pulse' is no number of a pulse.*'0' in row 6"),
    "pulses 2, 3": (lambda table: table.assign(pulse=table["pulse"] + 1), "not numbered 1, 2"),
    "no sweeps": (lambda table: table.drop(columns="sweep"), "no column says of which sweep"),
    "twice": (lambda table: pd.concat([table, table.iloc[[6]]]), "pulse 1 of sweep 4 is there twice.*rows 8 and 362"),
    "post first": (
        lambda table: table.assign(time_s=-table["time_s"]),
        r"'time_s' contradict the phases.*\(row 2\).*\(row 360\)",
    ),
    "two units": (
        lambda table: row(table.assign(unit="pA"), 8, unit="mV"),
        "the column 'unit' has several.*'pA' in row 2, 'mV' in row 10",
    ),
    "unit told": (lambda table: table, "the unit that was told", {"unit": "nA"}),
    "unit against name": (lambda table: table.assign(unit="nA"), "'amplitude_pA' and the column 'unit'"),
    "noise in mV": (lambda table: table.rename(columns={"noise_pA": "noise_mV"}), "unit of 'noise_mV'"),
    "SDs as noise": (lambda table: table.assign(noise_pA=1.5 + 0.1 * np.sin(table.index)), "'noise_pA' have one sign"),
    "no noise at all": (lambda table: table.assign(noise_pA=0.0), "'noise_pA' are all the same"),
    "negative SD": (lambda table: table.assign(noise_pA=-1.0).rename(columns={"noise_pA": "noise_sd"}), "'noise_sd'"),
    "response": (lambda table: table.assign(response="EPCS"), r"'EPCS' in row 2 of 'response'.*'EPSC'"),
    "potential": (lambda table: table.assign(response="EPSP"), "unit does not fit an EPSP"),
    "opsin": (lambda table: table.assign(opsin="perhaps"), "'opsin' is neither yes nor no"),
    "mixed sign": (
        lambda table: table.assign(amplitude_pA=table["amplitude_pA"] * np.where(table["sweep"] % 5 < 2, -1, 1)),
        "'amplitude_pA' has amplitudes of mixed sign.*beyond noise",
    ),
    "half the sign lost": (
        lambda table: table.assign(
            amplitude_pA=table["amplitude_pA"].where(table["phase"] == "baseline", table["amplitude_pA"].abs())
        ),
        "'amplitude_pA' has amplitudes of mixed sign",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_refused_by_column_and_row(case, paired, tmp_path):
    change, said, *told = BAD[case]
    with pytest.raises(EphysplastError, match=said):
        read_one(change(paired), tmp_path, **(told[0] if told else {}))


@given(
    column=st.integers(0, 5),
    at=st.one_of(st.none(), st.integers(0, 59)),
    written_there=st.one_of(
        st.sampled_from(
            ["", "nan", "-", "1e400", "0", "-1", "1,5", "NA", "yes", "before", "wash", "=1+1", "²", "test"]
        ),
        st.text(max_size=6),
        st.floats().map(str),
    ),
)
@settings(max_examples=15, deadline=None)
def test_whatever_is_written_into_a_cell_is_read_or_refused(column, at, written_there, tmp_path_factory):
    table = cell(5, (6, 0.5, 10.0), (6, 0.5, 18.0), pulses=2, sweeps=(14, 16)).astype(object)
    table.iloc[slice(None) if at is None else at, column] = written_there
    path = written(table, tmp_path_factory.mktemp("any"), errors="replace")
    try:
        (found,) = read_amplitudes(path)
    except EphysplastError:
        return
    assert set(found.table.phase.tolist()) == {"baseline", "post"}
    assert found.table.amplitude[found.table.phase == "baseline", 0].size <= 28
    assert not np.isinf(found.table.amplitude).any()


def test_files_that_are_no_tables(tmp_path):
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "noise.csv").write_bytes(bytes(range(256)) * 8)
    for name in ("empty.csv", "noise.csv", "absent.csv"):
        with pytest.raises(EphysplastError, match=name):
            read_amplitudes(tmp_path / name)


@pytest.mark.parametrize("unit_columns", [["amplitude1 (pA)", "amplitude2 (mV)"], ["amplitude1", "amplitude3"]])
def test_columns_of_pulses_must_fit_each_other(unit_columns, paired, tmp_path):
    wide = paired[paired["pulse"] == 1].drop(columns="pulse").rename(columns={"amplitude_pA": unit_columns[0]})
    wide[unit_columns[1]] = wide[unit_columns[0]]
    with pytest.raises(EphysplastError, match=r"mixed|not numbered"):
        read_one(wide, tmp_path)


@pytest.mark.parametrize("sd", [0.0, -1.0, float("nan")])
def test_an_impossible_sd_is_refused(sd, paired, tmp_path):
    with pytest.raises(EphysplastError, match="SD of the noise"):
        read_one(paired, tmp_path, noise_sd=sd)


def test_too_few_sweeps_have_no_locus(tmp_path):
    few = judged(read_one(cell(3, (10, 0.2, 10.0), (10, 0.7, 10.0), sweeps=(8, 12)), tmp_path))
    assert (few.sign, few.locus) == ("refused", "not asked")
    assert "too few sweeps: 8 of 8 baseline" in few.status
    some = judged(read_one(cell(3, (10, 0.2, 10.0), (10, 0.7, 10.0), sweeps=(15, 30)), tmp_path))
    assert some.locus not in CALLS
    assert "too few" in some.locus_sentence


@pytest.mark.parametrize("seed", range(4))
def test_noise_alone_and_noise_larger_than_the_response_are_never_called(seed, tmp_path):
    failures = judged(read_one(cell(seed, (5, 0.0, 10.0), (5, 0.0, 10.0), noise=5.0), tmp_path))
    assert failures.locus not in CALLS
    assert failures.sign not in ("LTP", "LTD")
    # Mean 10 before and 20 pA after, in noise of 40: the sign may be found by averaging, quanta cannot.
    buried = judged(read_one(cell(seed, (5, 0.4, 5.0), (5, 0.4, 10.0), noise=40.0), tmp_path))
    assert buried.locus not in CALLS


def test_failures_among_responses_are_no_mixed_sign(tmp_path):
    # 59 % of failures before, and 44 % after: half of them go the other way by noise, which the noise explains.
    found = read_one(cell(4, (5, 0.1, 20.0), (5, 0.15, 20.0), noise=2.0), tmp_path)
    assert not any("other sign" in each for each in found.sentences)
    assert (found.table.amplitude < 0.0).mean() > 0.15
    few = cell(4, (6, 0.5, 20.0), (6, 0.5, 30.0))
    few.loc[few["sweep"] % 10 == 0, "amplitude_pA"] *= -1.0
    assert any("have the other sign, beyond noise" in each for each in read_one(few, tmp_path).sentences)


# ---- a study's own sweeps


@pytest.mark.slow
def test_a_studys_own_sweeps_are_judged_as_the_study_judged_them(sample_data, tmp_path):
    from ephysplast.classify import Circumstances, classify
    from ephysplast.study import Settings, analyse_experiment, load_manifest, run_study

    names = ("pc_pc_ltp_pre", "pv_pc_iltp_post", "two_pathways_no_change", "rs_jump")
    chosen = [each for each in load_manifest(sample_data / "manifest.csv") if each.name in names]
    outcomes = list(run_study(chosen, tmp_path, settings=Settings(classify=QUICK), figures=False))
    assert not any(each.failed for each in outcomes)
    found = {each.name: each for each in read_amplitudes(tmp_path / "sweeps.csv")}
    assert set(found) == set(names)
    for experiment in chosen:
        result = analyse_experiment(experiment, settings=Settings(classify=QUICK))
        tables = {role: each.table for role, each in result.pathways.items()}
        read = found[experiment.name]
        # Columns keep every digit, so the same seed must give the same verdict to the last one.
        same(read.table, tables["test"])
        assert read.about == Circumstances(response=experiment.response, opsin=experiment.opsin)
        again = classify(
            tables["test"],
            rng=np.random.default_rng(1),
            control=tables.get("control"),
            config=QUICK,
            about=read.about,
        )
        verdict = judged(read)
        assert verdict.locus_probabilities == again.locus_probabilities
        assert (verdict.sign, verdict.change, verdict.locus) == pytest.approx(
            (again.sign, again.change, again.locus), nan_ok=True
        )
        # The study drew other random numbers before it came to the locus: signs agree, intervals hardly differ.
        assert verdict.sign == result.verdict.sign
        assert verdict.change == pytest.approx(result.verdict.change, nan_ok=True)


# ---- the committed table


def test_the_sample_table_is_made_again_and_holds_its_truth(sample_data, tmp_path):
    from ephysplast.synthesis.amplitude_table import CELLS, write_amplitude_table

    committed = sample_data / "amplitudes.csv"
    assert write_amplitude_table(tmp_path / "amplitudes.csv").read_bytes() == committed.read_bytes()
    found = read_amplitudes(committed)
    assert [each.name for each in found] == [each.name for each in CELLS]
    for read, made in zip(found, CELLS, strict=True):
        for phase, sites in (("baseline", made.sites), ("post", made.sites.with_changes(**made.changes))):
            here = read.table.of_phase(phase)
            amplitude = read.table.amplitude[here, 0]
            # Mean npq within 3 standard errors of the sample itself.
            error = amplitude.std() / np.sqrt(here.sum())
            assert amplitude.mean() == pytest.approx(sites.n * sites.p * sites.q, abs=3.0 * error)
            assert read.table.noise[here].std() == pytest.approx(3.0, rel=0.35)  # 3 SE of an SD of 60 readings
