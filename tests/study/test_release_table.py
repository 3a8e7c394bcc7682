"""Tables of release conditions and trains: what is read, what is answered, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from ephysplast.errors import OK, EphysplastError, SettingsError
from ephysplast.experiment import SweepTable
from ephysplast.quantal import VarianceMeanConfig, measure_variance_mean
from ephysplast.quantal.tsodyks_markram import TsodyksMarkramConfig
from ephysplast.study.release_answers import ReleaseConfig, analyse_release
from ephysplast.study.release_table import ReleaseTold, read_release

NOISE = 2.0
PLAIN = ReleaseConfig(variance_mean=VarianceMeanConfig(cv_within=0.0, cv_between=0.0))
"""The simulator below has quanta of one size."""
QUICK = ReleaseConfig(tsodyks_markram=TsodyksMarkramConfig(n_draws=200, n_moves=3.0))
"""Where the fit of a condition is not looked at."""


def simulated(rng, times_s, *, n=12, u=0.4, q=10.0, d_s=0.5, sweeps=60):
    """Return amplitudes of sites that are emptied one by one and refilled at random: U stays, no facilitation."""
    full = np.ones((sweeps, n), dtype=bool)
    amplitude = np.empty((sweeps, len(times_s)))
    for k, wait in enumerate(np.diff(times_s, append=np.inf)):
        released = full & (rng.random(full.shape) < u)
        amplitude[:, k] = q * released.sum(axis=1) + rng.normal(0.0, NOISE, sweeps)
        full = (full & ~released) | (rng.random(full.shape) < 1.0 - np.exp(-wait / d_s))
    return amplitude


def long(amplitude, word, rng, *, times_s=None, first=1, sign=-1.0):
    """Return one row per sweep and pulse."""
    n, k = amplitude.shape
    columns = {
        "condition": word,
        "sweep": np.repeat(np.arange(first, first + n), k),
        "pulse": np.tile(np.arange(k), n) + 1,
    }
    if times_s is not None:
        columns["pulse_time_s"] = np.tile(times_s, n)
    noise = np.repeat(rng.normal(0.0, NOISE, n), k)
    return pd.DataFrame({**columns, "amplitude (pA)": sign * amplitude.reshape(-1), "noise": noise})


@pytest.fixture(scope="module")
def calcium():
    """Four release probabilities of eight sites of 10 pA."""
    rng = np.random.default_rng(11)
    return pd.concat(
        [
            long(10.0 * rng.binomial(8, p, (150, 1)) + rng.normal(0, NOISE, (150, 1)), f"{ca} mM", rng)
            for ca, p in (("0,5", 0.1), ("1", 0.35), ("2", 0.65), ("4", 0.9))
        ]
    )


TRAIN_S = np.append(0.05 * np.arange(7), [0.7, 1.5])


@pytest.fixture(scope="module")
def phases():
    """Trains with recovery pulses, before and after U went from .25 to .6."""
    rng = np.random.default_rng(12)
    parts = [simulated(rng, TRAIN_S, u=u) for u in (0.25, 0.6)]
    return pd.concat(
        [long(each, word, rng, times_s=TRAIN_S) for each, word in zip(parts, ("before", "after"), strict=True)]
    )


def read(frame, folder, *, told=None, **how):
    path = folder / "cell.csv"
    frame.to_csv(path, index=False, **how)
    (found,) = read_release(path, told=told)
    return found


def test_conditions_of_one_pulse_give_sites_and_quanta(calcium, tmp_path, rng):
    found = read(calcium, tmp_path)
    assert [each.name for each in found.conditions] == ["0,5 mM", "1 mM", "2 mM", "4 mM"]
    assert not found.are_phases
    answers = analyse_release(found, rng=rng, config=PLAIN)
    (only,) = answers.variance_mean
    assert only.of == "conditions"
    # 95 % intervals of one fixed draw: they hold the truth of the simulation.
    assert only.result.q.low < 10.0 < only.result.q.high
    assert only.result.n.low < 8.0 < only.result.n.high
    # p of 150 sweeps of 8 sites has an SE of 0.015 at most, that of the top scales with n besides.
    np.testing.assert_allclose(only.result.p, [0.1, 0.35, 0.65, 0.9], atol=0.12)
    assert not answers.trains
    assert "one pulse" in answers.reasons["Tsodyks–Markram"]
    frame = answers.variance_mean_frame()
    assert frame["condition"].tolist() == ["0,5 mM", "1 mM", "2 mM", "4 mM"]
    assert (frame["q"] == only.result.q.value).all()


def test_trains_of_two_phases_are_fitted_and_compared(phases, tmp_path, rng):
    found = read(phases, tmp_path)
    assert (found.before, found.after, found.are_phases) == ("before", "after", True)
    np.testing.assert_allclose(found.conditions[0].times_s[3], TRAIN_S)
    answers = analyse_release(found, rng=rng, config=PLAIN)
    for each, u in zip(answers.trains, (0.25, 0.6), strict=True):
        assert each.fit.status == OK
        assert each.fit.u.low < u < each.fit.u.high
        # The simulator has no facilitation, the prior of F begins at 5 ms: what F may still be shortens D a little.
        assert each.fit.d_ms.low < 500.0 < 1.2 * each.fit.d_ms.high
        assert "F is" in each.fit.statement  # facilitation that is not there can only be bounded, which is said
        (train,) = each.trains
        here = phases[phases["condition"] == each.of].groupby("pulse")["amplitude (pA)"]
        np.testing.assert_allclose(train.amplitude, -here.mean())
        # Noise of 2 pA is far below the spread of release, so the standard error is that of the sweeps.
        np.testing.assert_allclose(train.se, here.std() / np.sqrt(60))
    assert answers.comparison.u_ratio.low < 2.4 < answers.comparison.u_ratio.high
    assert answers.comparison.call == "U"
    # Between phases q or n may change: the points are the pulses of each.
    assert [each.of for each in answers.variance_mean] == ["before", "after"]
    for each in answers.variance_mean:
        assert each.result.q.low < 10.0 < each.result.q.high
    frame = answers.tsodyks_markram_frame()
    assert frame["condition"].unique().tolist() == ["before", "after", "after / before"]
    assert frame["call"].dropna().unique().tolist() == ["U"]


def test_german_excel_and_wide_tables_read_alike(phases, tmp_path):
    plain = read(phases, tmp_path)
    german = read(phases, tmp_path, sep=";", decimal=",", encoding="cp1252")
    wide = phases.pivot_table(index=["condition", "sweep"], columns="pulse", values="amplitude (pA)", sort=False)
    wide.columns = [f"amplitude{k} (pA)" for k in wide.columns]
    wide = wide.reset_index()
    wide["noise"] = phases.loc[phases["pulse"] == 1, "noise"].to_numpy()
    wide = read(wide, tmp_path, told=ReleaseTold(interval_ms=50.0))
    for one, two, three in zip(plain.conditions, german.conditions, wide.conditions, strict=True):
        np.testing.assert_array_equal(one.amplitude, two.amplitude)
        np.testing.assert_array_equal(one.times_s, two.times_s)
        np.testing.assert_array_equal(one.amplitude, three.amplitude)
        np.testing.assert_allclose(three.times_s[0], 0.05 * np.arange(9))
        assert one.noise_sd == pytest.approx(three.noise_sd)


def test_frequency_and_interval_say_the_same(phases, tmp_path):
    frame = phases.drop(columns="pulse_time_s")
    by_hz, by_ms = (
        read(frame, tmp_path, told=ReleaseTold(**{k: v})) for k, v in (("frequency_hz", 20.0), ("interval_ms", 50.0))
    )
    np.testing.assert_allclose(by_hz.conditions[0].times_s, by_ms.conditions[0].times_s)


def test_times_that_are_not_known_are_said_and_the_variance_is_still_answered(phases, tmp_path, rng):
    found = read(phases.drop(columns="pulse_time_s"), tmp_path)
    assert any("--interval-ms" in each for each in found.sentences)
    answers = analyse_release(found, rng=rng, config=PLAIN)
    assert answers.reasons == {"Tsodyks–Markram": "the times of the pulses are not known: give pulse_time_s, "
                               "--interval-ms or --frequency-hz"}  # fmt: skip
    assert len(answers.variance_mean) == 2


def test_trains_of_several_frequencies_share_one_fit(tmp_path, rng):
    times = [0.05 * np.arange(6), 0.02 * np.arange(6), np.array([0.0, 0.1, 1.0])]
    parts = [simulated(rng, each, u=0.5, sweeps=40) for each in times]
    frame = pd.concat(
        [
            long(each, "control", rng, times_s=at, first=1 + 40 * i)
            for i, (each, at) in enumerate(zip(parts, times, strict=True))
        ]
    )
    answers = analyse_release(read(frame, tmp_path), rng=rng)
    (only,) = answers.trains
    assert sorted(each.times_s.size for each in only.trains) == [3, 6, 6]
    assert only.fit.d_ms.low < 500.0 < only.fit.d_ms.high
    assert only.fit.u.low < 0.5 < only.fit.u.high
    assert answers.comparison is None


@pytest.mark.parametrize(
    ("n_conditions", "n_pulses", "why"),
    [(1, 1, "there is one condition, and one pulse"), (2, 1, "are phases"), (1, 2, "")],
)
def test_what_is_not_possible_is_said(n_conditions, n_pulses, why, tmp_path, rng):
    frame = pd.concat(
        [long(simulated(rng, 0.05 * np.arange(n_pulses)), word, rng) for word in ("baseline", "post")[:n_conditions]]
    )
    answers = analyse_release(read(frame, tmp_path), rng=rng)
    assert why in answers.reasons.get("variance–mean", "")
    assert f"{'one pulse' if n_pulses == 1 else '2 pulses'} in a sweep" in answers.reasons["Tsodyks–Markram"]
    assert answers.tsodyks_markram_frame()["status"].tolist() == [answers.reasons["Tsodyks–Markram"]]
    if not why:
        # Two pulses are two points: a line, of which q is only a lower bound.
        assert "lower bound" in answers.variance_mean[0].result.statement


def test_two_release_conditions_give_a_line(calcium, tmp_path, rng):
    found = read(calcium[calcium["condition"].isin(["0,5 mM", "1 mM"])], tmp_path)
    (only,) = analyse_release(found, rng=rng, config=PLAIN).variance_mean
    assert only.result.model == "line"
    assert only.result.n.status != OK


@pytest.mark.parametrize("noise", [NOISE, 0.0])
def test_failures_alone_have_no_answer(noise, tmp_path, rng):
    # With and without noise: amplitudes that are all exactly 0 have no spread either.
    parts = [
        long(rng.normal(0.0, 1.0, (40, 5)) * noise, word, rng, times_s=0.05 * np.arange(5)) for word in ("pre", "post")
    ]
    frame = pd.concat(parts)
    if not noise:
        frame["noise"] = 0.0
        frame = frame.drop(columns="noise").assign(noise_sd=1.0)
    answers = analyse_release(read(frame, tmp_path), rng=rng)
    assert all("no response" in each.result.status for each in answers.variance_mean)
    assert all("no response" in each.fit.status for each in answers.trains)
    assert answers.comparison.call == "undetermined"
    assert answers.variance_mean_frame()["q"].isna().all()
    assert answers.tsodyks_markram_frame()["value"].isna().all()


def test_without_noise_only_the_trains_are_answered(phases, tmp_path, rng):
    found = read(phases.drop(columns="noise"), tmp_path)
    assert any("variance–mean is not possible" in each for each in found.sentences)
    answers = analyse_release(found, rng=rng, config=QUICK)
    assert "noise is not known" in answers.reasons["variance–mean"]
    assert answers.comparison.call == "U"
    told = read(phases.drop(columns="noise"), tmp_path, told=ReleaseTold(noise_sd=NOISE))
    assert told.conditions[1].noise_sd == pytest.approx(NOISE)


def test_a_few_sweeps_are_not_fitted(tmp_path, rng):
    frame = long(simulated(rng, TRAIN_S, sweeps=4), "control", rng, times_s=TRAIN_S)
    answers = analyse_release(read(frame, tmp_path), rng=rng)
    assert "fewer than 5 sweeps" in answers.reasons["Tsodyks–Markram"]
    assert "sweeps or more" in answers.variance_mean[0].result.status


def test_pulses_that_some_sweeps_lack_and_excluded_sweeps(phases, tmp_path):
    frame = phases.assign(exclude="")
    frame.loc[(frame["sweep"] == 3) & (frame["condition"] == "before"), "exclude"] = "yes"
    frame = frame[~((frame["sweep"] == 5) & (frame["pulse"] == 9))]
    found = read(frame, tmp_path)
    assert [each.amplitude.shape[0] for each in found.conditions] == [59, 60]
    assert np.isnan(found.conditions[0].amplitude[:, 8]).sum() == 1
    assert np.isnan(found.conditions[0].times_s[:, 8]).sum() == 1


def test_a_studys_own_sweeps_are_read_pathway_by_pathway(tmp_path, rng):
    times = 0.05 * np.arange(4)
    parts = np.concatenate([simulated(rng, times, u=u, sweeps=40) for u in (0.3, 0.3, 0.6)])
    n = len(parts)
    sweeps = SweepTable(
        unit="pA",
        phase=np.repeat(["baseline", "induction", "post"], 40),
        time_s=10.0 * np.arange(n),
        amplitude=parts,
        noise=rng.normal(0.0, NOISE, n),
        interval_s=times,
        rs_mohm=np.full(n, 10.0),
        rin_mohm=np.full(n, 150.0),
        holding=np.full(n, -20.0),
        excluded=(OK,) * (n - 2) + ("R_s above 30 MΩ",) * 2,
        file=("a.abf",) * n,
        sweep=np.arange(1, n + 1),
    ).to_frame()
    both = pd.concat([sweeps.assign(pathway=each) for each in ("test", "control")])
    both.insert(0, "experiment", "cell 7")
    both.to_csv(tmp_path / "sweeps.csv", index=False)
    found = read_release(tmp_path / "sweeps.csv")
    assert [each.name for each in found] == ["cell 7, test", "cell 7, control"]
    assert any("left out: the induction (160 rows)" in each for each in found[0].sentences)
    before, after = found[0].conditions
    assert (before.name, after.name, after.amplitude.shape) == ("baseline", "post", (38, 4))
    np.testing.assert_allclose(before.amplitude, parts[:40])
    np.testing.assert_allclose(before.times_s[0], times)
    assert analyse_release(found[0], rng=rng, config=QUICK).comparison.u_ratio.value > 1.0


def test_a_stated_noise_does_not_depend_on_what_is_excluded(phases, tmp_path):
    # Every second sweep is excluded: what is left of the readings that stand for a stated SD has one sign.
    frame = phases.drop(columns="noise").assign(exclude=np.where(phases["sweep"] % 2, "x", ""))
    for each in read(frame, tmp_path, told=ReleaseTold(noise_sd=NOISE)).conditions:
        assert each.noise_sd == pytest.approx(NOISE)
        assert each.n_noise == np.inf
    assert read(phases, tmp_path).conditions[0].n_noise == 60


@pytest.mark.parametrize("pulse", [1, 4])
def test_a_pulse_whose_row_is_missing_was_given_all_the_same(pulse, phases, tmp_path):
    lacking = (phases["sweep"] == 5) & (phases["pulse"] == pulse)
    found = read(phases[~lacking], tmp_path)
    for each in found.conditions:
        np.testing.assert_allclose(each.times_s, np.tile(TRAIN_S, (60, 1)), atol=1e-12)
        assert np.argwhere(np.isnan(each.amplitude)).tolist() == [[4, pulse - 1]]
    assert any(each.startswith("2 sweeps lack the row of a pulse") for each in found.sentences)


def test_sweeps_that_are_not_used_may_have_any_times(phases, tmp_path):
    frame = phases.assign(exclude=np.where(phases["sweep"] == 4, "x", ""))
    frame["pulse_time_s"] = frame["pulse_time_s"].mask((frame["sweep"] == 4) & (frame["pulse"] == 3), 9.0)
    assert [each.amplitude.shape for each in read(frame, tmp_path).conditions] == [(59, 9), (59, 9)]


def test_without_times_sweeps_are_in_the_order_of_their_numbers(phases, tmp_path, rng):
    plain, mixed = read(phases, tmp_path), read(phases.sample(frac=1.0, random_state=rng), tmp_path)
    after = {each.name: each for each in mixed.conditions}
    for each in plain.conditions:
        np.testing.assert_array_equal(each.amplitude, after[each.name].amplitude)


def test_words_that_differ_in_case_are_one_condition(phases, tmp_path):
    frame = phases.assign(condition=phases["condition"].where(phases["sweep"] < 30, phases["condition"].str.upper()))
    found = read(frame, tmp_path)
    assert [(each.name, len(each.amplitude)) for each in found.conditions] == [("before", 60), ("after", 60)]


@pytest.mark.parametrize(
    ("column", "words"),
    [("phase", ("baseline", "early", "late")), ("condition", ("Control", "post 10 min", "post 30 min"))],
)
def test_phases_are_no_release_conditions(column, words, calcium, tmp_path, rng):
    meant = dict(zip(calcium["condition"].unique(), words, strict=False))
    frame = calcium.assign(condition=calcium["condition"].map(meant)).dropna(subset="condition")
    answers = analyse_release(read(frame.rename(columns={"condition": column}), tmp_path), rng=rng)
    assert not answers.variance_mean
    assert f"{words[1]} and {words[2]} are phases" in answers.reasons["variance–mean"]


def test_quanta_that_differ_between_conditions_lie_on_no_parabola(calcium, tmp_path, rng):
    # Half of the driving force in the two conditions of high release.
    share = np.where(calcium["condition"].isin(["2 mM", "4 mM"]), 0.5, 1.0)
    frame = calcium.assign(**{"amplitude (pA)": share * calcium["amplitude (pA)"], "V_hold (mV)": -70.0 * share})
    found = read(frame, tmp_path)
    assert any("'V_hold (mV)' differs between conditions" in each for each in found.sentences)
    (only,) = analyse_release(found, rng=rng, config=PLAIN).variance_mean
    assert "do not lie on one parabola" in only.result.status
    assert np.isnan([only.result.q.value, only.result.n.value]).all()
    assert np.isfinite(only.result.variance).all()
    same = read(calcium.assign(holding=calcium["sweep"]), tmp_path)
    assert not any("differs between conditions" in each for each in same.sentences)


def test_noise_that_few_readings_tell_widens_the_intervals(rng):
    sweeps = [10.0 * rng.binomial(8, p, 150) + rng.normal(0, 20.0, 150) for p in (0.1, 0.5, 0.9)]
    how = {"noise_sd": [20.0] * 3, "config": PLAIN.variance_mean}
    known, read_off = (
        measure_variance_mean(sweeps, rng=np.random.default_rng(3), noise_readings=each, **how) for each in (np.inf, 30)
    )
    # The variance of m Gaussian readings has a sampling variance of 2 SD⁴ / (m − 1).
    np.testing.assert_allclose(read_off.variance_se**2, known.variance_se**2 + 2 * 20.0**4 / 29)
    assert read_off.q.high - read_off.q.low > 1.5 * (known.q.high - known.q.low)
    assert read_off.q.low == 0.0
    assert read_off.statement.startswith("the variance is hardly more than that of the noise, so q is at most")


@pytest.mark.parametrize(
    ("interval_s", "unit", "said"),
    [(5.0, "s", "sweeps come every 5 s, too soon"), (5.0, "", "only if sweeps come"), (60.0, "min", "")],
)
def test_trains_that_do_not_start_from_rest_are_said_to(interval_s, unit, said, tmp_path, rng):
    frame = long(simulated(rng, TRAIN_S, d_s=2.0), "control", rng, times_s=TRAIN_S)
    frame[f"time ({unit})" if unit else "time"] = frame["sweep"] * interval_s / (60.0 if unit == "min" else 1.0)
    statement = analyse_release(read(frame, tmp_path), rng=rng, config=QUICK).trains[0].fit.statement
    assert said in statement
    assert ("apart" in statement or "too soon" in statement) == bool(said)


def test_sweeps_with_times_of_their_own_are_said_to_be_left_out(tmp_path, rng):
    frame = long(simulated(rng, TRAIN_S), "control", rng, times_s=TRAIN_S)
    frame["pulse_time_s"] *= np.where(frame["sweep"] <= 3, 1.5, 1.0)
    statement = analyse_release(read(frame, tmp_path), rng=rng, config=QUICK).trains[0].fit.statement
    assert "left out: 3 of 60 sweeps" in statement


def test_times_in_another_unit_are_noticed(phases, tmp_path):
    found = read(phases.assign(pulse_time_s=1e3 * phases["pulse_time_s"]), tmp_path)
    assert any("is the unit of 'pulse_time_s' right?" in each for each in found.sentences)
    with pytest.raises(EphysplastError, match="nearer than pulses can be"):
        read(phases.rename(columns={"pulse_time_s": "pulse_time_ms"}), tmp_path)
    # Two pulses of a Poisson train may be as near as that.
    near = phases.assign(pulse_time_s=phases["pulse_time_s"].mask(phases["pulse"] == 2, 4e-4))
    assert read(near, tmp_path).conditions[0].times_s[0, 1] == pytest.approx(4e-4)


def broken(frame, how):
    """Return the table with one mistake."""
    frame = frame.reset_index(drop=True)
    if how == "no amplitudes":
        return frame.drop(columns="amplitude (pA)")
    if how == "no sweep":
        return frame.drop(columns="sweep")
    if how == "word":
        return frame.astype({"amplitude (pA)": object}).replace(
            {"amplitude (pA)": {frame.loc[4, "amplitude (pA)"]: "n.m"}}
        )
    if how == "twice":
        return pd.concat([frame, frame.iloc[[0]]])
    if how == "intervals":
        return frame.assign(pulse_time_s=np.where(frame["pulse"] == 1, 0.0, 0.05))
    if how == "time lost":
        frame.loc[20, "pulse_time_s"] = np.nan
        return frame
    if how == "time unit":
        return frame.rename(columns={"pulse_time_s": "pulse_time"})
    if how == "mixed":
        return frame.assign(**{"amplitude (pA)": frame["amplitude (pA)"] * np.where(frame["sweep"] % 2, 1.0, -1.0)})
    if how == "two columns":
        return frame.assign(phase=np.where(frame["sweep"] < 20, "baseline", "post"))
    if how == "gap":
        frame.loc[11, "condition"] = ""
        return frame
    return frame.drop(columns="amplitude (pA)").assign(**{"amplitude (pA)": np.nan, "amplitude": np.nan})


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("no amplitudes", "no column holds amplitudes"),
        ("no sweep", "wanted: a column sweep"),
        ("word", r"'amplitude \(pa\)' is not a number.*'n.m' in row 6"),
        ("twice", "pulse 1 of sweep 1 is there twice.*rows 2 and"),
        ("intervals", "'pulse_time_s' do not ascend.*row 2"),
        ("time lost", "'pulse_time_s' has no time.*row 20"),
        ("time unit", "'pulse_time' does not say in which unit"),
        ("mixed", r"'amplitude \(pa\)' has amplitudes of mixed sign"),
        ("two columns", "'condition' and 'phase'"),
        ("gap", "'condition' is empty in row 13"),
        ("empty", "amplitudes"),
    ],
)
def test_a_mistake_names_its_column_and_row(how, said, phases, tmp_path):
    with pytest.raises(EphysplastError, match=f"(?is){said}"):
        read(broken(phases, how), tmp_path)


@pytest.mark.parametrize(
    "told",
    [
        {"frequency_hz": 20.0, "interval_ms": 50.0},
        {"interval_ms": 0.0},
        {"interval_ms": 0.05},
        {"frequency_hz": float("nan")},
    ],
)
def test_impossible_intervals_are_refused(told):
    with pytest.raises(SettingsError):
        ReleaseTold(**told)


def test_a_word_for_a_phase_that_the_table_lacks_is_refused(phases, tmp_path):
    with pytest.raises(EphysplastError, match="--post"):
        read(phases, tmp_path, told=ReleaseTold(post="wash"))


def test_the_sample_table_is_made_again_and_holds_its_truth(sample_data, tmp_path, rng):
    from ephysplast.synthesis.release_table import CELLS, write_release_table

    committed = sample_data / "release.csv"
    assert write_release_table(tmp_path / "release.csv").read_bytes() == committed.read_bytes()
    for read_cell, made in zip(read_release(committed), CELLS, strict=True):
        assert [each.name for each in read_cell.conditions] == [word for word, _ in made.conditions]
        for each, (_, sites) in zip(read_cell.conditions, made.conditions, strict=True):
            mean, error = each.amplitude.mean(axis=0), each.amplitude.std(axis=0) / np.sqrt(made.n_sweeps)
            # Of 40 means one lies beyond 3 standard errors in one table of ten; 4 are beyond chance.
            assert (np.abs(mean - sites.expected(made.pulse_s)) < 4.0 * error).all()
        answers = analyse_release(read_cell, rng=rng, config=QUICK)
        for each in answers.variance_mean:
            sites = made.conditions[-1][1] if each.of in ("conditions", "post") else made.conditions[0][1]
            assert each.result.q.low < sites.q < each.result.q.high
        if made.name != "calcium":
            assert answers.comparison.call == ("U" if made.name == "more_release" else "A")


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say(rng):
    """Trains of 40 synapses: U, D and the ratio of U, with nominal 95 % intervals."""
    from ephysplast.study.release_table import ReleaseCondition, ReleaseTable

    held = {"U": [], "D": [], "ratio": []}
    for _ in range(40):
        conditions = tuple(
            ReleaseCondition(
                name=word, amplitude=simulated(rng, TRAIN_S, u=u), times_s=np.tile(TRAIN_S, (60, 1)), noise_sd=NOISE
            )
            for word, u in (("baseline", 0.25), ("post", 0.6))
        )
        table = ReleaseTable(
            name="", unit="pA", conditions=conditions, before="baseline", after="post", are_phases=True
        )
        answers = analyse_release(table, rng=rng, config=PLAIN)
        for each, u in zip(answers.trains, (0.25, 0.6), strict=True):
            held["U"].append(each.fit.u.low < u < each.fit.u.high)
            held["D"].append(each.fit.d_ms.low < 500.0 < each.fit.d_ms.high)
        held["ratio"].append(answers.comparison.u_ratio.low < 2.4 < answers.comparison.u_ratio.high)
    # F = 0 of the simulator is outside the prior (5 ms and more), which costs a little: 95 % less 4 standard errors.
    assert np.mean(held["U"]) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 80)
    assert np.mean(held["D"]) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 80)
    assert np.mean(held["ratio"]) > 0.95 - 4 * np.sqrt(0.95 * 0.05 / 40)
