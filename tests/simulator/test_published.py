"""Rules against what was published of them: data they were fitted to, and closed forms of their windows."""

import numpy as np
import pytest

from ephysplast.simulator import RULES, find_rule, pairing, pre_alone, recorded, simulate, timing_window, triplets
from ephysplast.simulator.parameter import AGREED, OPERATIONAL, SIGN_ONLY, SINGLE

# Sjöström, Turrigiano & Nelson 2001, as simulated by Pfister & Gerstner 2006 (60 pairings at f):
# f, Δt, change, SEM.
VISUAL_CORTEX = (
    (0.1, 10, -0.04, 0.05), (0.1, -10, -0.29, 0.08),
    (10, 10, 0.14, 0.10), (10, -10, -0.41, 0.11),
    (20, 10, 0.29, 0.14), (20, -10, -0.34, 0.10),
    (40, 10, 0.53, 0.11), (40, -10, 0.56, 0.32),
    (50, 10, 0.56, 0.26), (50, -10, 0.75, 0.19),
)  # fmt: skip
# Wang et al. 2005, 60 triplets at 1 Hz: Δt1, Δt2, change, SEM.
HIPPOCAMPUS = (
    (5, -5, -0.01, 0.04), (10, -10, 0.03, 0.04), (15, -5, 0.01, 0.03), (5, -15, 0.24, 0.06),
    (-5, 5, 0.33, 0.04), (-10, 10, 0.34, 0.04), (-5, 15, 0.22, 0.08), (-15, 5, 0.29, 0.05),
)  # fmt: skip

VISUAL = [each.name for each in RULES if each.name.startswith("triplet_visual")]
HIPPOCAMPAL = [each.name for each in RULES if each.name.startswith("triplet_hippocampal")]


def test_how_sure_a_form_is():
    """Two codes or data sets agree; one source; the sign alone is published; or nobody has published the equation."""
    said = {each.name: each.confidence for each in RULES}
    agreed = ("pair_all", "pair_song", "pair_soft_bounds", "vogels", "haas", *VISUAL, *HIPPOCAMPAL)
    assert {said[each] for each in agreed} == {AGREED}
    assert {said[each] for each in ("pair_froemke_dan", "costa", "woodin")} == {SINGLE}
    assert {said[each] for each in ("ltd_only", "anti_hebbian_lamsa")} == {SIGN_ONLY}
    assert {said[each] for each in ("damour_froemke", "anti_hebbian", "activity_rheobase")} == {OPERATIONAL}
    # Shapes of the delayed window are published, the size of its changes is not.
    assert find_rule("haas").parameter("a").confidence == OPERATIONAL
    assert find_rule("haas").parameter("beta").confidence == AGREED


def visual_cortex(rule):
    return np.array(
        [simulate(rule, pairing(dt_ms=dt, frequency_hz=f, n_pairings=60)).q[0] for f, dt, *_ in VISUAL_CORTEX]
    )


def test_all_eight_triplet_sets_are_there():
    assert len(VISUAL) == len(HIPPOCAMPAL) == 4


@pytest.mark.parametrize("name", VISUAL)
def test_triplet_sets_of_visual_cortex_reproduce_its_data(name):
    _, _, change, sem = np.array(VISUAL_CORTEX).T
    found = visual_cortex(name)
    error = np.mean(((change - found) / sem) ** 2)
    assert error < 0.36  # the paper's own table has none above
    if name == "triplet_visual_all_full":
        assert error == pytest.approx(0.34, abs=0.005)  # the paper's figure, printed with two digits
    clear = np.abs(change) > sem
    assert clear.sum() == 9
    np.testing.assert_array_equal(np.sign(found[clear]), np.sign(change[clear]))


@pytest.mark.parametrize("name", HIPPOCAMPAL)
def test_triplet_sets_of_the_hippocampus_reproduce_its_asymmetry(name):
    found = np.array([simulate(name, triplets(dt1_ms=a, dt2_ms=b)).q[0] for a, b, *_ in HIPPOCAMPUS])
    change = np.array([each[2] for each in HIPPOCAMPUS])
    # Post-pre-post potentiates, symmetric pre-post-pre does not. The published E of these sets is about 3, so single
    # points are off by up to 4 SEM; what must hold is the order of the two kinds, and that they follow the data.
    assert found[4:].min() > 0.05
    assert np.abs(found[:3]).max() < 0.1
    assert np.corrcoef(found, change)[0, 1] > 0.8
    single = [simulate(name, pairing(dt_ms=dt, frequency_hz=1.0, n_pairings=60)).q[0] for dt in (10, -10)]
    assert single[0] > 0 > single[1]


def test_a_triplet_set_of_one_scheme_has_the_terms_of_that_scheme_only():
    assert [each.name for each in find_rule("triplet_visual_all_minimal").parameters] == [
        "a3_plus", "a2_minus", "tau_plus_ms", "tau_minus_ms", "tau_y_ms",
    ]  # fmt: skip


@pytest.mark.parametrize("dt", [-60.0, -20.0, -1.0, 1.0, 20.0, 60.0])
def test_an_isolated_pair_is_the_window(dt):
    pair = recorded(pre_s=[0.0], post_s=[dt / 1e3])
    rule = find_rule("pair_all")
    value = {each.name: each.value for each in rule.parameters}
    up, down = (
        value["a_plus"] * np.exp(-dt / value["tau_plus_ms"]),
        -value["a_minus"] * np.exp(dt / value["tau_minus_ms"]),
    )
    # Weights are near 1 and changes are their differences, so the last digits of 1 are lost.
    tight = {"abs": 1e-13}
    assert simulate(rule, pair).q[0] == pytest.approx(up if dt > 0 else down, **tight)
    mirror = {"a_plus": value["a_plus"], "a_minus": value["a_minus"]}
    mirror |= {name: value[name] for name in ("tau_plus_ms", "tau_minus_ms")}
    assert simulate("anti_hebbian", pair, parameters=mirror).q[0] == pytest.approx(-(up if dt > 0 else down), **tight)
    ltd = simulate("ltd_only", pair, parameters={"a": 0.01, "tau_ms": 25.0}).q[0]
    assert ltd == pytest.approx(-0.01 * np.exp(-abs(dt) / 25.0), **tight)
    damour = simulate("damour_froemke", pair, parameters={"a": 0.01, "ei_ratio": [0.5, 2.0]}).g
    np.testing.assert_allclose(damour, 0.01 * np.exp(-abs(dt) / 10.0) * np.array([0.5, 2.0]), rtol=0, atol=1e-13)


def test_song_counts_in_shares_of_the_largest_weight():
    pair = recorded(pre_s=[0.0], post_s=[0.01])
    change = simulate("pair_song", pair, parameters={"w_start": 0.25}).q[0]
    assert change == pytest.approx(0.005 * np.exp(-0.5) / 0.25, abs=1e-13)
    many = pairing(dt_ms=5.0, frequency_hz=20.0, n_pairings=2000)
    assert simulate("pair_song", many, parameters={"w_start": 0.25}).q[0] == pytest.approx(3.0)  # 1 / 0.25, no further


def test_soft_bounds_run_from_additive_to_multiplicative():
    pair = recorded(pre_s=[0.0], post_s=[0.01])
    w = np.array([0.2, 0.5, 0.8])
    for mu in (0.0, 0.5, 1.0):
        change = w * simulate("pair_soft_bounds", pair, parameters={"w_start": w, "mu": mu}).q
        np.testing.assert_allclose(change, 0.005 * np.exp(-0.5) * (1.0 - w) ** mu, rtol=0, atol=1e-13)
    backwards = recorded(pre_s=[0.01], post_s=[0.0])
    change = w * simulate("pair_soft_bounds", backwards, parameters={"w_start": w, "mu": 1.0}).q
    np.testing.assert_allclose(change, -0.00525 * np.exp(-0.5) * w, rtol=0, atol=1e-13)


def test_vogels_turns_its_sign_at_42_ms_for_a_target_of_3_hz():
    dt = np.arange(20.0, 60.0, 0.25)
    found = [simulate("vogels", recorded(pre_s=[0.0], post_s=[each / 1e3])).g[0] for each in dt]
    crossing = float(np.interp(0.0, -np.array(found), dt))
    # e^(−Δt/τ) = 2 ρ0 τ: 20 ms · ln(1/0.12) = 42.4 ms; a line between points 0.25 ms apart errs by far less than 0.01.
    assert crossing == pytest.approx(20.0 * np.log(1 / 0.12), abs=0.01)
    assert round(crossing) == 42


@pytest.mark.parametrize("dt", [-30.0, -5.0, 0.0, 5.0, 30.0])
def test_vogels_isolated_pair(dt):
    found = simulate("vogels", recorded(pre_s=[0.0], post_s=[dt / 1e3]), parameters={"eta": 0.01}).g[0]
    assert found == pytest.approx(0.01 * (np.exp(-abs(dt) / 20.0) - 0.12), abs=1e-13)


@pytest.mark.parametrize(("name", "peak"), [("haas", 10.0), ("haas_talathi", 20.0)])
def test_the_delayed_window_is_empty_at_0_and_largest_at_its_peak(name, peak):
    dt = np.arange(-60.0, 60.5, 0.5)
    found = timing_window(name, dt_ms=dt, frequency_hz=0.1, n_pairings=1).changes["g"][0]
    assert found[dt == 0.0] == 0.0
    assert dt[found.argmax()] == peak
    assert dt[found.argmin()] == -peak
    assert found.max() == pytest.approx(0.005, abs=1e-13)
    beta, alpha = {"haas": (10.0, 1.0), "haas_talathi": (5.0, 0.25)}[name]
    shape = np.sign(dt) * np.abs(dt) ** beta * np.exp(-alpha * np.abs(dt))
    np.testing.assert_allclose(found, 0.005 * shape / shape.max(), rtol=0, atol=1e-13)


def test_woodin_shifts_e_gaba_inside_20_ms_and_lowers_the_conductance_outside():
    window = timing_window("woodin", dt_ms=[-50.0, -20.0, 0.0, 20.0, 20.5, 50.0], frequency_hz=5.0, n_pairings=150)
    np.testing.assert_allclose(window.changes["e_gaba_mv"][0], [0, 6.75, 6.75, 6.75, 0, 0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(window.changes["g"][0], [-0.139, 0, 0, 0, -0.139, -0.139], rtol=0, atol=1e-9)
    alone = simulate("woodin", pre_alone(frequency_hz=5.0, n_spikes=150))
    assert alone.e_gaba_mv[0] == 0.0
    assert alone.g[0] == pytest.approx(-0.139, abs=1e-9)
    far = simulate("woodin", pairing(dt_ms=5.0, frequency_hz=5.0, n_pairings=3000), parameters={"shift_max_mv": 9.0})
    assert far.e_gaba_mv[0] == 9.0


def test_a_shift_of_e_gaba_changes_the_current_without_any_change_of_conductance():
    found = simulate("woodin", pairing(dt_ms=5.0, frequency_hz=5.0, n_pairings=150))
    assert found.strength[0] == 0.0
    # −ΔE/(V − E): at −50 mV with E at −70 mV the driving force falls from 20 to 13.25 mV.
    assert found.current_change(v_mv=-50.0, e_gaba_mv=-70.0)[0] == pytest.approx(13.25 / 20.0 - 1.0)
    # Below E_GABA the inward current grows.
    assert found.current_change(v_mv=-95.0, e_gaba_mv=-70.0)[0] == pytest.approx(6.75 / 25.0)


def test_anti_hebbian_potentiation_needs_a_cell_that_is_not_depolarised():
    tetanus = pre_alone(frequency_hz=100.0, n_spikes=100)
    found = {v: simulate("anti_hebbian_lamsa", tetanus.held_at(v)).p[0] for v in (-90.0, -70.0, -45.0)}
    assert found[-90.0] == pytest.approx(2.0 * found[-70.0])  # 40 and 20 mV below the threshold
    # The trace before spike k is Σ e^(−j/2), j = 1 … k, at 10 ms and τ = 20 ms.
    before = np.cumsum(np.exp(-np.arange(1, 100) / 2.0))
    assert found[-70.0] == pytest.approx(1e-5 * 20.0 * before.sum(), abs=1e-12)
    assert found[-45.0] == 0.0
    assert simulate("anti_hebbian_lamsa", pre_alone(frequency_hz=0.1, n_spikes=100)).p[0] == pytest.approx(
        0.0, abs=1e-12
    )


def test_rheobase_falls_with_every_postsynaptic_spike_and_not_below_nothing():
    found = simulate("activity_rheobase", pairing(dt_ms=5.0, frequency_hz=5.0, n_pairings=100))
    assert found.rheobase_pa[0] == pytest.approx(-5.0)
    assert simulate("activity_rheobase", pre_alone(frequency_hz=5.0, n_spikes=100)).rheobase_pa[0] == 0.0
    far = simulate("activity_rheobase", pairing(dt_ms=5.0, frequency_hz=5.0, n_pairings=4000))
    assert far.rheobase_pa[0] == pytest.approx(-100.0)


def test_costa_blockers_act_on_their_own_term():
    # NO block removes d+, CB1 block removes d−; both leave c+.
    protocol = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=10)
    eta = {"eta": 0.01}
    normal = simulate("costa", protocol, parameters=eta)
    no_block = simulate("costa", protocol, parameters=eta | {"d_plus": 0.0})
    cb1_block = simulate("costa", protocol, parameters=eta | {"d_minus": 0.0})
    assert no_block.p[0] < normal.p[0] < cb1_block.p[0]
    assert no_block.q[0] == normal.q[0] == cb1_block.q[0] > 0
