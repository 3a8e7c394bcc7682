"""Every real recording reads, and what must hold of it is written here."""

from dataclasses import dataclass

import numpy as np
import pytest

from ephysplast.io import read


@dataclass(frozen=True)
class Known:
    """What is known of a file; `channels` as "name [unit] clamp", with " ?" when its unit or clamp is in doubt."""

    n_sweeps: int
    rate_hz: float
    channels: tuple[str, ...]
    sweep_s: float | tuple[float, ...]
    interval_s: float = 0.0
    digital: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    has_date: bool = True


IN_0_PA = ("IN 0 [pA] voltage",)
IN_0_MV = ("IN 0 [mV] current",)
OLD = ("sweeps began", "commanded")

KNOWN = {
    "A_17o05026_opto_EPSC_10s.abf": Known(8, 20_000, IN_0_PA, 10.0, 10.0, digital=("digital 4",)),
    # Vm1 is what two-electrode voltage clamp makes of the muscle fibre; I2 is the response, in nA in the file.
    "A_EJC_40sweeps.abf": Known(40, 10_000, ("Vm1 [mV] unknown", "I2 [pA] voltage"), 2.0, 2.0),
    "A_File_axon_3_stim_Vm.abf": Known(
        5, 20_000, ("stim [V] unknown", "VmRK [mV] current"), 1.0322, 90.0, digital=("digital 3",)
    ),
    "A_TGOT_tags_abf1.abf": Known(187, 20_000, ("IN 0 [pA] voltage", "AO #0 [mV] unknown"), 0.08265, 2.0),
    # Nothing was connected to the last two inputs: they sit at more than 3 V.
    "A_f1_ST-EPSC_train50Hz.abf": Known(
        10,
        20_000,
        ("CH1 [pA] voltage", "CH2 [pA] voltage", "IN 2 [mV] unknown ?", "IN 3 [mV] unknown ?"),
        2.5,
        3.0,
        digital=("digital 0", "digital 1", "digital 2", "digital 3"),
    ),
    "A_tag_at_3min_memtest.abf": Known(60, 20_000, IN_0_PA, 0.1, 5.0),
    "B_pair_VC_IV_14o16001.abf": Known(13, 10_000, ("IN 0 [pA] voltage", "IN 1 [pA] voltage"), 4.0, 4.0),
    "C_INa_IV_myokit_v2.abf": Known(37, 20_000, IN_0_PA, 0.0258, 5.0),
    "C_IV_fast_171116sh_0013.abf": Known(13, 20_000, IN_0_PA, 1.0, 1.0),
    "C_ramp_DM1_0002.abf": Known(7, 20_000, ("IN 0 [pA] voltage", "P_in [mmHg] unknown"), 3.0, 3.0),
    # IN 2 is a scaled copy of the command.
    "D_FI_abf1_190619B.abf": Known(10, 10_000, ("IN 0 [mV] current", "IN 2 [mV] unknown"), 3.064, 3.064),
    "D_current_ramp_okUnits.abf": Known(6, 20_000, IN_0_MV, 1.0, 1.0),
    "D_steps_171116sh_0018.abf": Known(17, 20_000, IN_0_MV, 3.0, 3.0),
    "D_steps_17o05028_spontaneous.abf": Known(16, 20_000, IN_0_MV, 3.0, 3.0),
    "E_memtest_171116sh_0011.abf": Known(20, 20_000, IN_0_PA, 0.5, 0.5),
    "E_memtest_ramp_18808025.abf": Known(40, 20_000, IN_0_PA, 0.6, 0.6),
    "F_mEJC_gapfree_90s.abf": Known(1, 10_000, ("Vm1 [mV] unknown", "I2 [pA] voltage"), 90.8288),
    "G_16ADC_more_than_DAC.abf": Known(
        1,
        10_000,
        (
            "V1 [mV] current",
            "V2 [mV] current",
            "I1 [mV] current",
            "I2 [pA] unknown",
            "V3 [mV] unknown",
            "I3 [pA] voltage",
            "V4 [mV] unknown",
            *(f"IN {i} [V] unknown" for i in range(7, 14)),
            "I4 [pA] unknown",
            "Tmp [C] unknown",
        ),
        1.2896,
    ),
    "G_abf1_no_header_strings.abf": Known(3, 50_000, IN_0_PA, 1.0, 1.0, notes=OLD),
    "G_bad_units_pA_is_mV.abf": Known(7, 20_000, ("IN 0 [pA] voltage ?",), 1.0, 1.0),
    "G_invalidDate_abf1.abf": Known(50, 20_000, IN_0_PA, 0.12, 0.12, notes=("date", *OLD), has_date=False),
    "G_invalidDate_abf2.abf": Known(50, 20_000, IN_0_PA, 0.12, 0.12, notes=("date",), has_date=False),
    "G_unit_question_mark.abf": Known(1, 10_000, ("IN 0 [] unknown ?",), 10.0),
    "G_variable_length_sweeps.abf": Known(3, 10_000, IN_0_PA, (0.354, 7.004, 1.604)),
    # A sharp electrode with an offset: rest at −15 mV and spikes to 70 mV are as recorded.
    "D_NWB_full_hierarchy_99111002.nwb": Known(16, 10_000, ("Electrode 1 [mV] current",), 0.7168),
    # The second electrode's potentials were stored as amperes.
    "G_NWB2.0b_ramp_2ch.nwb": Known(1, 50_000, ("Electrode 0 [mV] current", "Electrode 1 [pA] current ?"), 18.0),
    "G_NWB2.2_MIES.nwb": Known(1, 200_000, ("electrode_0 [pA] voltage",), 0.940005),
    "chamberland2014_MF-CA3_1.2to2.5mMCa_5at50Hz.nwb": Known(
        40, 10_000, ("elec0 [pA] voltage",), 0.15, notes=("placeholders",)
    ),
    "patchview_190604s1c7r1_s3_8ch_ic.nwb": Known(
        7, 25_000, tuple(f"elec{i} [mV] current" for i in range(1, 9)), 0.704, notes=("placeholders",)
    ),
}


def test_no_recording_is_left_out(recordings):
    there = {path.name for path in recordings.iterdir() if path.suffix.lower() in (".abf", ".nwb")}
    assert there == set(KNOWN)


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_what_is_known_of_it(recordings, name):
    known = KNOWN[name]
    (recording,) = read(recordings / name).recordings
    described = tuple(
        f"{each.name} [{each.unit}] {each.clamp}{' ?' if each.doubt else ''}" for each in recording.channels
    )
    assert described == known.channels
    assert recording.n_sweeps == known.n_sweeps
    assert recording.rate_hz == pytest.approx(known.rate_hz, rel=1e-6)  # intervals in single precision
    lengths = np.broadcast_to(known.sweep_s, known.n_sweeps)
    assert recording.sweep_lengths / recording.rate_hz == pytest.approx(lengths, rel=1e-4)  # known to 0.1 ms
    if known.interval_s:
        # Triggered sweeps jitter by some ticks of the clock.
        assert np.diff(recording.sweep_start_s) == pytest.approx(known.interval_s, abs=0.01)
    assert tuple(line.name for line in recording.digital_outputs) == known.digital
    assert (recording.started_at is not None) == known.has_date
    for word in known.notes:
        assert any(word in note for note in recording.notes), word
    for channel in recording.channels:
        assert np.isfinite(channel.trace.window(0.0, 0.01)).all()
        if channel.command is not None:
            assert channel.command.window(0.0, 0.01).shape == channel.trace.window(0.0, 0.01).shape


def test_the_bad_unit_is_put_right_as_the_doubt_says(recordings):
    wrong = read(recordings / "G_bad_units_pA_is_mV.abf").channels[0]
    assert "unit=mV" in wrong.doubt
    assert "clamp=current" in wrong.doubt
    assert "scale=0.05" in wrong.doubt
    right = wrong.corrected(unit="mV", clamp="current", scale=0.05)
    twin = read(recordings / "D_current_ramp_okUnits.abf").channels[0]
    rest = [float(np.median(channel.trace.window(0.0, 0.1))) for channel in (right, twin)]
    # Two cells of one lab and one protocol rest within 10 mV of each other.
    assert abs(rest[0] - rest[1]) < 10.0
