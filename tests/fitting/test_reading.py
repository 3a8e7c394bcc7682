"""Tables as people keep them: what is recognised is said, what could be wrong is refused with clear words."""

import numpy as np
import pandas as pd
import pytest

from ephysplast.errors import EphysplastError, FileFormatError
from ephysplast.fitting import make_observations, read_observations


def frame(**columns):
    return pd.DataFrame(columns)


def notes(made):
    return " | ".join(made.notes)


# ---- units


@pytest.mark.parametrize(
    ("column", "values", "unit"),
    [
        ("change_percent", [-20.0, 50.0, 5.0], "percent"),
        ("change (%)", [-20.0, 50.0, 5.0], "percent"),
        ("change_fraction", [-0.2, 0.5, 0.05], "fraction"),
        ("ratio", [0.8, 1.5, 1.05], "ratio"),
        ("% of baseline", [80.0, 150.0, 105.0], "percent of baseline"),
        ("EPSC normalised (%)", [80.0, 150.0, 105.0], "percent of baseline"),
        ("change", [-20.0, 50.0, 5.0], "percent"),
        ("change", [-0.2, 0.5, 0.05], "fraction"),
        ("change", ["-3 %", "4 %", "2,5 %"], "percent"),
    ],
)
def test_the_unit_is_recognised_and_said(column, values, unit):
    made = read_observations(frame(dt_ms=[-10, 10, 20], **{column: values}))
    expected = [-0.03, 0.04, 0.025] if isinstance(values[0], str) else [-0.2, 0.5, 0.05]
    np.testing.assert_allclose(made.change, expected, atol=1e-12)
    assert f"changes are read as {unit}, " in notes(made)


def test_a_unit_that_is_told_wins():
    made = read_observations(frame(dt_ms=[-10, 10], change=[2.0, 5.0]), unit="percent")
    np.testing.assert_allclose(made.change, [0.02, 0.05])


@pytest.mark.parametrize(
    "values",
    [
        [20.0, 50.0, 70.0],
        [1.2, 1.5, 1.9],
        [120.0, 150.0, 190.0],
        # LTP by 30 to 120 %, or a fall to 0.3 and a rise to 1.2 of the baseline?
        [0.3, 0.6, 1.2],
        [20.0, 50.0, 120.0],
        # No response falls by 300 %, and hardly one changes by less than 5 % throughout.
        [-3.0, 4.0, 2.0],
        ["20 %", "50 %", "120 %"],
    ],
)
def test_a_unit_that_could_be_another_is_asked_for(values):
    with pytest.raises(EphysplastError, match=r"unit of 'change' cannot be told.*unit="):
        read_observations(frame(dt_ms=[5, 10, 20], change=values))


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("ratio", [0.8, 1.5, 150.0, 1.1]),
        ("% of baseline", [80.0, 150.0, 1.2, 90.0]),
        ("change_fraction", [-0.2, 0.5, 40.0, 0.1]),
        ("change_percent", [-20.0, 50.0, 0.3, 0.5, -0.2, 30.0]),
        ("change_percent", [-0.2, 0.5, 0.3, 1.1, -0.2, 0.3]),
    ],
)
def test_mixed_units_are_refused(column, values):
    with pytest.raises(EphysplastError, match="units of the changes are mixed") as caught:
        read_observations(pd.DataFrame({"dt_ms": np.arange(len(values)) + 1.0, column: values}))
    assert "bring all rows to one unit" in str(caught.value)


def test_a_unit_column_and_per_cent_signs_are_believed_or_refused():
    made = read_observations(frame(dt_ms=[-10, 10], change=[-20, 50], unit=["%", "percent"]))
    np.testing.assert_allclose(made.change, [-0.2, 0.5])
    with pytest.raises(EphysplastError, match="unit of 'change' cannot be told"):
        read_observations(frame(dt_ms=[-10, 10, None], change=[1.2, 1.5, 50], unit=["", "", "%"]))
    with pytest.raises(EphysplastError, match="mixed: the column 'unit' has several"):
        read_observations(frame(dt_ms=[-10, 10], change=[-20, 0.5], unit=["%", "fraction"]))
    with pytest.raises(EphysplastError, match="1 of 2 cells of 'change' have a per cent sign"):
        read_observations(frame(dt_ms=[-10, 10], change=["-20 %", "0.5"]))


# ---- Δt


def test_the_sign_of_delta_t_is_said_and_turned():
    values = {"change_percent": [-20.0, 50.0]}
    assumed = read_observations(pd.DataFrame({"dt_ms": [-10.0, 10.0], **values}))
    assert assumed.notes[0].startswith("the table does not say how Δt is counted")
    assert "was assumed" in assumed.notes[0]
    for column in ("t_pre - t_post (ms)", "dt_ms"):
        told = {"delta_t_is": "pre-post"} if column == "dt_ms" else {}
        turned = read_observations(pd.DataFrame({column: [-10.0, 10.0], **values}), **told)
        np.testing.assert_array_equal(turned.delta_t_ms, [10.0, -10.0])
        assert "turned into" in turned.notes[0]
    named = read_observations(pd.DataFrame({"t_post - t_pre (ms)": [-10.0, 10.0], **values}))
    np.testing.assert_array_equal(named.delta_t_ms, [-10.0, 10.0])
    assert "was assumed" not in notes(named)
    with pytest.raises(EphysplastError, match="cannot be counted so"):
        read_observations(pd.DataFrame({"dt_ms": [-10.0, 10.0], **values}), delta_t_is="backwards")


def test_seconds_are_converted_when_named_and_asked_about_when_not():
    values = {"change_percent": [-20.0, 50.0]}
    named = read_observations(pd.DataFrame({"dt_s": [-0.01, 0.02], **values}))
    np.testing.assert_allclose(named.delta_t_ms, [-10.0, 20.0])
    with pytest.raises(EphysplastError, match="does not say whether it is in s or ms"):
        read_observations(pd.DataFrame({"dt": [-0.01, 0.02], **values}))
    assert "was taken to be in ms" in notes(read_observations(pd.DataFrame({"dt": [-10.0, 20.0], **values})))


def test_the_interval_from_pre_to_post_is_not_taken_for_a_difference():
    table = pd.DataFrame({"pre-post interval (ms)": [-10.0, 10.0], "change_percent": [-20.0, 50.0]})
    with pytest.raises(EphysplastError, match="does not say which order is positive"):
        read_observations(table)
    np.testing.assert_array_equal(read_observations(table, delta_t_is="post-pre").delta_t_ms, [-10.0, 10.0])


@pytest.mark.parametrize(("name", "factor"), [("Δt (sec)", 1000.0), ("timing (msec)", 1.0), ("dt seconds", 1000.0)])
def test_other_words_for_the_unit_of_time_are_understood(name, factor):
    table = pd.DataFrame({name: [-0.5, 0.5], "change_percent": [-20.0, 50.0], "jitter": [0.1, 0.2]})
    made = read_observations(table)
    np.testing.assert_allclose(made.delta_t_ms, [-0.5 * factor, 0.5 * factor])
    # An error without a unit of its own has that of Δt.
    np.testing.assert_allclose(made.delta_t_sd_ms, [0.1 * factor, 0.2 * factor])


def test_times_of_a_wrong_size_are_asked_about():
    values = {"change_percent": [-20.0, 50.0]}
    assert "is the unit right?" in notes(read_observations(pd.DataFrame({"dt_ms": [-0.01, 0.02], **values})))
    assert "is the unit right?" in notes(read_observations(pd.DataFrame({"dt_s": [-10.0, 20.0], **values})))


# ---- columns


def test_columns_are_said_and_can_be_told():
    table = frame(a=[-10, 10], b=[-20, 50], c=[5, 6])
    made = read_observations(table, columns={"delta_t": "a", "change": "b", "sem": "c"}, unit="percent")
    assert dict(made.columns) == {"delta_t": "a", "change": "b", "sem": "c"}
    np.testing.assert_allclose(made.change_error, [0.05, 0.06])
    with pytest.raises(EphysplastError, match=r"no column holds Δt by its name. Got: a, b, c"):
        read_observations(table)
    with pytest.raises(EphysplastError, match="did you mean 'sem'"):
        read_observations(table, columns={"semm": "c"})
    with pytest.raises(EphysplastError, match="has no column 'd'"):
        read_observations(table, columns={"change": "d"})


def test_several_candidates_are_not_guessed_between():
    with pytest.raises(EphysplastError, match=r"several columns may hold the change. Got: change_percent, ratio"):
        read_observations(frame(dt_ms=[1.0], change_percent=[50.0], ratio=[1.5]))


def test_rows_are_chosen_and_conditions_kept():
    table = frame(dt_ms=[-10, 10, -10, 10], change_percent=[-20, 50, -5, 8], drug=["no", "no", "AP5", "AP5"])
    made = read_observations(table)
    assert made.conditions() == ("no", "AP5")
    np.testing.assert_allclose(made.of_condition("AP5").change, [-0.05, 0.08])
    chosen = read_observations(table, where={"drug": "AP5"})
    assert "2 of 4 rows, where drug is AP5" in notes(chosen)
    with pytest.raises(EphysplastError, match=r"no row has 'AP-5'.*did you mean 'AP5'"):
        read_observations(table, where={"drug": "AP-5"})
    with pytest.raises(EphysplastError, match="no such condition"):
        made.of_condition("APV")
    with pytest.raises(
        EphysplastError, match=r"no row is left. Got: 4 rows, none of them where drug is AP5 and dt_ms is 7"
    ):
        read_observations(table.assign(dt_ms=[7, 10, -10, 10]), where={"drug": "AP5", "dt_ms": "7"})
    assert len(read_observations(table.assign(freq_hz=[1.0, 1.0, 40.0, 40.0]), where={"freq_hz": "40"})) == 2


# ---- errors


def test_standard_errors_that_are_zero_or_missing_get_the_largest_of_the_others_and_it_is_said():
    table = frame(dt_ms=[-20, -10, 10, 20], change_percent=[-20, -30, 50, 40], sem=[5.0, 0.0, 8.0, None])
    made = read_observations(table)
    np.testing.assert_allclose(made.change_error, [0.05, 0.08, 0.08, 0.08])
    assert "2 of 4 rows have a standard error that is zero or missing" in notes(made)
    none = read_observations(table.assign(sem=0.0))
    np.testing.assert_array_equal(none.change_error, 0.0)
    assert "inferred from the changes alone" in notes(none)
    with pytest.raises(EphysplastError, match="standard error cannot be negative"):
        read_observations(table.assign(sem=[5.0, -1.0, 8.0, 2.0]))


def test_an_sd_needs_the_number_of_cells_and_means_without_errors_weigh_by_it():
    table = frame(dt_ms=[-20, 20], change_percent=[-20, 40], sd=[20.0, 30.0])
    assert "an SD needs the number of cells" in notes(read_observations(table))
    np.testing.assert_allclose(read_observations(table.assign(n=[4, 9])).change_error, [0.1, 0.1])
    counted = read_observations(table.drop(columns="sd").assign(n=[4, 9]))
    np.testing.assert_allclose(counted.noise_share, [1 / 4, 1 / 9])


def test_errors_have_the_unit_of_their_own_column():
    table = frame(dt_ms=[-20, 20], change_ratio=[0.8, 1.4], sem_percent=[5.0, 8.0])
    np.testing.assert_allclose(read_observations(table).change_error, [0.05, 0.08])
    table = frame(dt_ms=[-20, 20], change_percent=[-20, 40], sem_fraction=[0.05, 0.08])
    np.testing.assert_allclose(read_observations(table).change_error, [0.05, 0.08])


def test_errors_of_an_unknown_kind_are_asked_about():
    table = frame(dt_ms=[-20, 20], change_percent=[-20, 40], error=[5.0, 8.0])
    said = notes(read_observations(table))
    assert "'error' is not used: say whether it is a standard error (sem) or an SD (sd)" in said
    told = read_observations(table, columns={"sem": "error"})
    np.testing.assert_allclose(told.change_error, [0.05, 0.08])


def test_changes_about_100_per_cent_are_asked_about():
    table = frame(dt_ms=[-20, 5, 20], **{"change (%)": [80.0, 105.0, 150.0]})
    assert "if 100 means unchanged the unit is percent of baseline" in notes(read_observations(table))
    assert "100 means" not in notes(read_observations(table, unit="percent"))


def test_intervals_become_standard_errors():
    table = frame(dt_ms=[-20, 20], change=[0.8, 1.4], change_low=[0.7, 1.2], change_high=[0.9, 1.6])
    # The half-width of a 95 % interval of a normal distribution is 1.95996 SD.
    made = read_observations(table, unit="ratio")
    np.testing.assert_allclose(made.change_error, [0.1 / 1.959964, 0.2 / 1.959964], rtol=1e-6)
    made = read_observations(table.assign(level=0.9), unit="ratio")
    np.testing.assert_allclose(made.change_error[0], 0.1 / 1.644854, rtol=1e-6)


# ---- our own studies


def test_a_studys_own_table_is_understood():
    table = frame(
        experiment=["a", "b", "c", "d"],
        status=["ok", "ok", "the baseline is not stable", "ok"],
        change=[1.5, 0.8, 1.2, 1.1],
        change_low=[1.3, 0.7, 1.0, 1.0],
        change_high=[1.7, 0.9, 1.4, 1.2],
        level=0.95,
        unit=["pA", "pA", "mV", "pA"],
        baseline_paired_pulse_ratio=[1.2, 1.3, 1.1, 1.0],
        post_paired_pulse_ratio=[1.2, 1.3, 1.1, 1.0],
        baseline_sag_ratio=[0.9, 0.8, 0.9, 0.9],
        induction_frequency_hz=[1.0, 1.0, 1.0, 1.0],
        induction_delta_t_ms=[9.8, -10.2, 10.0, np.nan],
        induction_delta_t_sd_ms=[0.4, 0.5, 0.3, np.nan],
    )
    made = read_observations(table)
    assert made.label == ("a", "b")
    np.testing.assert_allclose(made.change, [0.5, -0.2])
    np.testing.assert_allclose(made.delta_t_sd_ms, [0.4, 0.5])
    np.testing.assert_allclose(made.change_error, [0.2 / 1.959964, 0.1 / 1.959964], rtol=1e-6)
    said = notes(made)
    assert "a study's own table" in said
    assert "1 rows without Δt or change were left out" in said
    assert "1 experiments that were refused or failed were left out" in said
    assert "was assumed" not in said


def test_what_should_not_be_mixed_is_said():
    table = frame(dt_ms=[-10, 10, 20], change_percent=[-20, 50, 30], freq_hz=[1, 1, 40], condition=["a", "b", "b"])
    said = notes(read_observations(table.assign(pre_type="PV", post_type=["PC", "PC", "SST"])))
    assert "2 kinds of synapse are taken together (PV → PC, PV → SST): a window holds for one" in said
    assert "2 pairing frequencies are taken together (1, 40)" in said
    assert "2 conditions are taken together (a, b)" in said
    assert "taken together" not in notes(read_observations(table, where={"condition": "a"}))


# ---- duplicates and odd rows


def test_copies_under_one_label_are_refused_and_others_said():
    table = frame(cell=["a", "b", "b"], dt_ms=[-10, 10, 10], change_percent=[-20, 50, 50])
    with pytest.raises(EphysplastError, match=r"a row is there more than once. Got: 'b' at Δt 10 ms"):
        read_observations(table)
    said = notes(read_observations(table.drop(columns="cell")))
    assert "1 pairs of Δt and change stand in the table more than once" in said
    repeated = notes(read_observations(table.assign(dt_ms=[-10, 10, 20])))
    assert "1 rows repeat a label" in repeated


def test_missing_rows_are_counted_and_an_empty_table_is_refused():
    table = frame(dt_ms=[-10, None, 10], change_percent=[-20, 30, None])
    made = read_observations(table)
    assert len(made) == 1
    assert "2 rows without Δt or change were left out" in notes(made)
    with pytest.raises(EphysplastError, match="no row of the table has both"):
        read_observations(table.iloc[1:])


def test_changes_that_cannot_be_are_asked_about():
    assert "1 changes are above 1000 %" in notes(read_observations(frame(dt_ms=[-10, 10], change_percent=[-20, 5000])))


def test_reversed_responses_are_said():
    made = read_observations(frame(dt_ms=[-10, 10], change_percent=[-140, 50]))
    assert "1 changes are below −100 %" in notes(made)


# ---- files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_csv_with_semicolons_and_decimal_commas_is_read(tmp_path, encoding):
    path = tmp_path / "Tabelle.csv"
    path.write_text("dt_ms;change (%);SEM\n-10,5;-20,5;3\n10;50,25;4,5\n", encoding=encoding)
    made = read_observations(path)
    np.testing.assert_allclose(made.delta_t_ms, [-10.5, 10.0])
    np.testing.assert_allclose(made.change, [-0.205, 0.5025])
    np.testing.assert_allclose(made.change_error, [0.03, 0.045])
    assert made.source == "Tabelle.csv"


def test_csv_and_xlsx_and_frame_say_the_same(tmp_path, rng):
    table = frame(dt_ms=rng.normal(0, 30, 8).round(2), change_percent=rng.normal(0, 40, 8).round(2))
    table.to_csv(tmp_path / "a.csv", index=False)
    table.to_excel(tmp_path / "a.xlsx", index=False)
    made = [read_observations(each) for each in (table, tmp_path / "a.csv", str(tmp_path / "a.xlsx"))]
    for each in made[1:]:
        np.testing.assert_allclose(each.delta_t_ms, made[0].delta_t_ms)
        np.testing.assert_allclose(each.change, made[0].change)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "has no rows"),
        (b"dt_ms,change_percent\n", "has no rows"),
        (b"dt_ms,dt_ms,change_percent\n1,2,3\n", "two columns of one name"),
        (b"dt_ms,change_percent\n-10,5,-20\n", "row 2 has more cells than there are column names.*decimal comma"),
        (b"PK\x03\x04not a workbook", "not a spreadsheet"),
        (b"\x00\x01\x02\xff" * 20, "not a text file"),
        (b"dt_ms,change_percent\n1,lots\n", "not a number. Got: 'lots' in row 2"),
    ],
)
def test_broken_files_are_named_with_their_trouble(tmp_path, content, match):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    with pytest.raises(EphysplastError, match=match):
        read_observations(path)
    with pytest.raises(FileFormatError, match=r"absent.csv cannot be opened"):
        read_observations(tmp_path / "absent.csv")


# ---- arrays


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (([], []), "no observation"),
        (([1.0, 2.0], [0.1]), "another number of rows"),
        (([1.0, np.nan], [0.1, 0.2]), "delta_t_ms has values that are missing"),
        (([1.0, 2.0], [0.1, np.inf]), "change has values that are missing"),
    ],
)
def test_arrays_are_checked(arguments, match):
    with pytest.raises(EphysplastError, match=match):
        make_observations(*arguments)


def test_negative_errors_and_empty_means_are_refused():
    with pytest.raises(EphysplastError, match="change_error cannot be negative"):
        make_observations([1.0], [0.1], change_error=-0.1)
    with pytest.raises(EphysplastError, match="at least one cell"):
        make_observations([1.0], [0.1], n_cells=0)


def test_nothing_is_written_to_what_was_given(rng):
    table = frame(dt_ms=rng.normal(0, 30, 8), change_percent=rng.normal(0, 40, 8), sem=[0.0] * 4 + [2.0] * 4)
    before = table.copy(deep=True)
    made = read_observations(table)
    pd.testing.assert_frame_equal(table, before)
    assert list(made.to_frame().columns[:4]) == ["label", "condition", "delta_t_ms", "change"]
    assert len(made.subset([0, 3])) == 2
