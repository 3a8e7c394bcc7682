"""Cells to draw, made by hand: an RC membrane with spikes pasted on it, and inhibitory currents of a known reversal."""

from itertools import combinations

import numpy as np
from matplotlib.figure import Figure

from ephysplast.analysers.current_steps import CurrentSteps
from ephysplast.analysers.current_voltage import CurrentVoltage
from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.analysers.reversal import ReversalResult
from ephysplast.analysers.spikes import SpikeResult
from ephysplast.errors import OK
from ephysplast.result import Estimate
from ephysplast.verdict import Evidence, QualityCheck, Verdict

STEP_S = 0.5
RATE_HZ = 20e3
CURRENTS_PA = np.arange(-100.0, 301.0, 25.0)
LEVELS_MV = np.arange(-90.0, -29.0, 10.0)


def thinned(time_s, rows, columns=900):
    """Minimum and maximum of stretches, as analysers hand traces to figures."""
    size = len(time_s) // columns
    cut = rows[:, : columns * size].reshape(len(rows), columns, size)
    pairs = np.stack([cut.min(axis=2), cut.max(axis=2)], axis=2).reshape(len(rows), 2 * columns)
    return time_s[: columns * size : size].repeat(2) + np.tile([0.0, 0.5 * size / RATE_HZ], columns), pairs


def spike_times(current, rheobase_pa, gain_hz_per_pa):
    """From the step's start; none below the rheobase."""
    if current < rheobase_pa:
        return np.empty(0)
    rate = max(gain_hz_per_pa * (current - rheobase_pa), 2.0)
    first = 0.02 + 0.15 * np.exp(-(current - rheobase_pa) / 60.0)
    return np.arange(first, STEP_S - 0.005, 1.0 / rate)


def potentials(time_s, current, at, *, rest, rin, tau_s=0.018, ramp=False):
    on = (time_s >= 0) & (time_s < STEP_S)
    if ramp:
        v = rest + np.where(on, current * time_s / STEP_S, 0.0) * rin * 1e-3
    else:
        rise = 1.0 - np.exp(-np.clip(time_s, 0, STEP_S) / tau_s)
        v = current * rin * 1e-3 * np.where(on, rise, rise * np.exp(-(time_s - STEP_S) / tau_s))
        sag = 0.15 * np.minimum(v, 0.0) * (np.exp(-np.clip(time_s, 0, None) / 0.06) - 1.0)
        v = rest + v + np.where(on, sag, 0.0)
    v = np.minimum(v, -42.0)
    for each in at:
        v += 85.0 * np.exp(-0.5 * ((time_s - each - 4e-4) / 3e-4) ** 2)
        after = np.clip(time_s - each - 1e-3, 0.0, None)
        v -= 14.0 * np.exp(-after / 0.02) * (time_s > each + 1e-3)
    return v


def make_spikes(at, *, start_s=0.2):
    """Spikes of the given times, with the features that were pasted."""
    count = np.array([len(each) for each in at], dtype=np.int64)
    flat = np.concatenate([*at, np.empty(0)]) + start_s
    n = len(flat)
    rows = len(at)
    return SpikeResult(
        status=OK if n else "no spike in any sweep",
        sweeps=np.arange(rows),
        start_s=np.full(rows, start_s),
        stop_s=np.full(rows, start_s + STEP_S),
        count=count,
        latency_ms=np.array([each[0] * 1e3 if len(each) else np.nan for each in at]),
        rate_hz=count / STEP_S,
        isi_cv=np.full(rows, 0.1),
        cv2=np.full(rows, 0.1),
        lv=np.full(rows, 0.1),
        adaptation_index=np.full(rows, 0.05),
        blocked=np.zeros(rows, dtype=bool),
        row=np.repeat(np.arange(rows), count),
        time_s=flat,
        threshold_mv=np.full(n, -42.0),
        threshold_s=flat - 3e-4,
        peak_mv=np.full(n, 43.0),
        peak_s=flat + 4e-4,
        amplitude_mv=np.full(n, 85.0),
        half_width_ms=np.full(n, 0.7),
        rise_mv_per_ms=np.full(n, 170.0),
        fall_mv_per_ms=np.full(n, 120.0),
        fast_ahp_mv=np.full(n, 10.0),
        slow_ahp_mv=np.full(n, 5.0),
    )


def make_steps(rng, *, rheobase=60.0, gain=0.12, rest=-65.0, rin=150.0, repeats=1, currents=CURRENTS_PA, ramp=False):
    current = np.tile(currents, repeats)
    jitter = rng.normal(0.0, 12.0 if repeats > 1 else 0.0, len(current))
    if ramp:
        at = [np.array([(rheobase + rng.normal(0, 6)) / each * STEP_S]) for each in current]
        at = [np.append(each, np.arange(each[0] + 0.04, STEP_S, 0.03)) for each in at]
    else:
        at = [spike_times(each, rheobase + shift, gain) for each, shift in zip(current, jitter, strict=True)]
    time_s = np.arange(-0.05, STEP_S + 0.1, 1 / RATE_HZ)
    rows = np.array([potentials(time_s, c, t, rest=rest, rin=rin, ramp=ramp) for c, t in zip(current, at, strict=True)])
    trace_s, trace_mv = thinned(time_s, rows + rng.normal(0, 0.15, rows.shape))
    spikes, n = make_spikes(at), len(current)
    first = np.array([each[0] if len(each) else np.nan for each in at])
    return CurrentSteps(
        protocol="ramp" if ramp else "steps",
        sweeps=np.arange(n),
        part=np.zeros(n, dtype=np.int64),
        start_s=spikes.start_s,
        stop_s=spikes.stop_s,
        current_pa=current,
        holding_pa=np.zeros(n),
        reason=(OK,) * n,
        rest_mv=np.full(n, rest),
        spontaneous=np.zeros(n, dtype=np.int64),
        spikes=spikes,
        steady_mv=np.where(spikes.count == 0, current * rin * 1e-3, np.nan),
        sag_ratio=np.where(current < 0, 0.15, np.nan),
        tau_ms=np.where(current < 0, 18.0, np.nan),
        current_at_spike_pa=first / STEP_S * current if ramp else np.full(n, np.nan),
        ramp_pa_per_s=current / STEP_S if ramp else np.full(n, np.nan),
        trace_mv=trace_mv,
        trace_s=trace_s,
    )


def about(value, half, **more):
    return Estimate(value=value, low=value - half, high=value + half, **more)


def make_excitability(steps, *, rheobase=60.0, gain=0.12, rest=-65.0, rin=150.0, **others):
    """Estimates near what the steps were made with; the f–I curve is counted."""
    ramp = steps.protocol == "ramp"
    current = np.unique(steps.current_pa) if not ramp else np.empty(0)
    groups = [steps.current_pa == each for each in current]
    repeats = np.array([float(each.sum()) for each in groups])
    above = float(CURRENTS_PA[np.searchsorted(CURRENTS_PA[:-1], rheobase)])
    bracket = Estimate(value=above, low=above - 25.0, high=above, is_bracket=True, method="steps of 25 pA")
    nothing = Estimate.missing("a ramp has no f–I curve")
    probit = ramp or (repeats.size and repeats.max() > 1)
    fields = {
        "rheobase_pa": about(rheobase, 6.0, method="probit") if probit else bracket,
        "gain_hz_per_pa": nothing if ramp else about(gain, 0.02),
        "threshold_mv": about(-42.0, 0.8),
        "amplitude_mv": about(85.0, 2.0),
        "half_width_ms": about(0.71, 0.03),
        "fast_ahp_mv": about(10.0, 1.5),
        "slow_ahp_mv": about(5.0, 1.0),
        "latency_ms": Estimate(value=171.3),
        "max_rate_hz": nothing if ramp else Estimate(value=gain * (300.0 - rheobase)),
        "adaptation_index": about(0.03, 0.01),
        "rin_mohm": about(rin, 6.0),
        "tau_ms": about(18.2, 1.4),
        "sag_ratio": about(0.15, 0.02),
        "rest_mv": about(rest, 0.3),
        "holding_pa": Estimate(value=0.0),
    }
    fields |= {
        "current_pa": current,
        "rate_hz": np.array([steps.spikes.rate_hz[each].mean() for each in groups]),
        "fired": np.array([(steps.spikes.count[each] > 0).mean() for each in groups]),
        "n_repeats": repeats,
    }
    return ExcitabilityResult(**(fields | others))


def no_excitability(why):
    """What comes of steps that hold nothing: every estimate missing, every array empty."""
    names = [name for name, kind in ExcitabilityResult.__annotations__.items() if kind is Estimate]
    arrays = dict.fromkeys(("current_pa", "rate_hz", "fired", "n_repeats"), np.empty(0))
    return ExcitabilityResult(status=why, **dict.fromkeys(names, Estimate.missing(why)), **arrays)


def no_steps(why):
    spikes = make_spikes([])
    floats = "start_s stop_s current_pa holding_pa rest_mv steady_mv sag_ratio tau_ms current_at_spike_pa ramp_pa_per_s"
    nothing = dict.fromkeys([*floats.split(), "trace_s"], np.empty(0))
    nothing |= dict.fromkeys(("sweeps", "part", "spontaneous"), np.empty(0, dtype=np.int64))
    nothing["trace_mv"] = np.empty((0, 0))
    return CurrentSteps(status=why, protocol="", reason=(), spikes=spikes, **nothing)


def make_readings(rng, *, reversal=-68.0, conductance=4.0, levels=LEVELS_MV, repeats=3, protocol="voltage steps"):
    """Inhibitory currents (or IPSPs) with a stimulus, or ramps after their control was taken off."""
    scale = {"voltage steps": 1.0, "voltage ramp": 1.0, "current clamp": 0.05}[protocol] * conductance
    if protocol == "voltage ramp":
        n_ramps, time_s = repeats, np.arange(0.0, 0.6, 1 / RATE_HZ)
        ramp_mv = -100.0 + 160.0 * time_s / 0.6
        rows = scale * (ramp_mv - reversal) + rng.normal(0, 8.0, (n_ramps, len(time_s)))
        keep = slice(None, None, 240)
        command = np.tile(ramp_mv[keep], n_ramps)
        value, sweeps = rows[:, keep].reshape(-1), np.repeat(np.arange(n_ramps), len(ramp_mv[keep]))
        trace_s, trace = thinned(time_s, rows, columns=600)
    else:
        command = np.tile(levels, repeats)
        value = scale * (command - reversal) + rng.normal(0, 0.03 * 30 * scale, len(command))
        time_s = np.arange(-0.02, 0.15, 1 / RATE_HZ)
        since = np.clip(time_s - 0.003, 0, None)
        shape = (np.exp(-since / 0.025) - np.exp(-since / 0.002)) / 0.73
        artefact = np.where((time_s >= 0) & (time_s < 3e-4), 4000.0 * scale / 4.0, 0.0)
        held = command[:, None] * 0.8
        noise = rng.normal(0, 1.2 * scale, (len(command), len(time_s)))
        trace_s, trace = thinned(time_s, held + value[:, None] * shape + artefact + noise, columns=600)
        sweeps = np.arange(len(command))
    n = len(command)
    return CurrentVoltage(
        protocol=protocol,
        response="total" if protocol == "voltage ramp" else "evoked",
        unit="mV" if protocol == "current clamp" else "pA",
        sweeps=sweeps,
        part=np.zeros(n, dtype=np.int64),
        command_mv=command,
        total_pa=np.full(n, np.nan) if protocol == "current clamp" else value + 20.0,
        response_value=value,
        rs_mohm=np.full(n, 12.0),
        reason=(OK,) * n,
        trace=trace,
        trace_s=trace_s,
    )


def make_reversal(readings, *, reversal=-68.0, conductance=4.0, rest=-62.0, **others):
    clamp = readings.protocol == "current clamp"
    scale = 0.05 * conductance if clamp else conductance
    vm = readings.command_mv - 0.2
    fields = {
        "reversal_mv": about(reversal, 1.3, method="line"),
        "conductance_ns": Estimate.missing("in current clamp there is no conductance")
        if clamp
        else about(conductance, 0.4),
        "driving_force_mv": about(rest - reversal, 1.3),
        "chloride_mm": about(132.0 * np.exp(reversal / 25.7), 0.5),
        "corrections": "series resistance 12 MΩ, not compensated: at most 2.9 mV; junction potential not known: "
        "not corrected",
        "vm_mv": vm,
        "response": readings.response_value,
        "fitted": scale * (vm - reversal),
        "unit": readings.unit,
        "readings": readings,
        "draws_mv": np.full(10, reversal),
        "draws_ns": np.full(10, conductance),
    }
    return ReversalResult(**(fields | others))


def no_reversal(why):
    names = ("reversal_mv", "conductance_ns", "driving_force_mv", "chloride_mm")
    empty = np.empty(0)
    nothing = {"command_mv": empty, "total_pa": empty, "response_value": empty, "rs_mohm": empty}
    indices = np.empty(0, dtype=np.int64)
    readings = CurrentVoltage(
        status=why,
        protocol="",
        response="total",
        unit="pA",
        sweeps=indices,
        part=indices,
        reason=(),
        trace=np.empty((0, 0)),
        trace_s=empty,
        **nothing,
    )
    arrays = dict.fromkeys(("vm_mv", "response", "fitted", "draws_mv", "draws_ns"), empty)
    missing = dict.fromkeys(names, Estimate.missing(why))
    return ReversalResult(status=why, corrections="", unit="pA", readings=readings, **missing, **arrays)


def intrinsic_verdict(sign="up"):
    rows = (
        ("rheobase (pA)", -50.0, -75.0, -25.0, "up", "75 pA before, 25 pA after, in steps of 25 pA"),
        ("f–I gain (Hz/pA)", 0.03, 0.01, 0.05, "up", "grew from 0.12 to 0.15 Hz/pA, by 0.03 [0.01, 0.05]"),
        ("threshold (mV)", -0.2, -1.1, 0.7, "neither", "−42.0 mV before, −42.2 mV after: −0.2 [−1.1, 0.7] mV"),
        ("R_in (MΩ)", 31.0, 22.0, 40.0, "up", "grew from 150 to 181 MΩ, by 31 [22, 40] MΩ"),
        ("sag ratio", 0.01, -0.02, 0.04, "undetermined", "0.15 before, 0.16 after: 0.01 [−0.02, 0.04]"),
    )
    evidence = tuple(
        Evidence(index=index, value=value, low=low, high=high, points_to=to, sentence=said)
        for index, value, low, high, to, said in rows
    )
    quality = (
        QualityCheck(name="resting potential", outcome="pass", sentence="−65.0 and −64.6 mV"),
        QualityCheck(name="holding", outcome="warn", sentence="holding current is not in the file"),
    )
    said = "the rheobase fell by 50 pA [25, 75] and the gain grew by 25 % [8, 42]: the cell fires more easily"
    return Verdict(
        sign=sign, sign_sentence=f"{sign}: {said}", evidence=evidence, quality=quality, n_baseline=17, n_post=17
    )


def chloride_verdict(sign="E_GABA shift"):
    rows = (
        ("ΔE_GABA (mV)", 8.2, 6.4, 10.0, "E_GABA", "from −68.0 to −59.8 mV, by 8.2 [6.4, 10.0] mV"),
        ("Δg (nS)", -0.1, -0.6, 0.4, "neither", "from 4.0 to 3.9 nS, by −0.1 [−0.6, 0.4] nS"),
        ("ΔI (pA)", -34.0, -44.0, -24.0, "undetermined", "−34 pA at −50 mV"),
        ("ΔI by driving force (pA)", -32.4, -40.0, -25.0, "E_GABA", "−ḡ·ΔE: −32.4 [−40, −25] pA"),
        ("ΔI by conductance (pA)", -1.6, -8.0, 5.0, "neither", "(V − Ē)·Δg: −1.6 [−8, 5] pA"),
    )
    evidence = tuple(
        Evidence(index=index, value=value, low=low, high=high, points_to=to, sentence=said)
        for index, value, low, high, to, said in rows
    )
    flag = "whole-cell: the pipette solution sets the chloride of a dialysed cell"
    quality = (QualityCheck(name="configuration", outcome="warn", sentence=flag),)
    said = "E_GABA moved by 8.2 mV [6.4, 10.0]; the conductance did not change: −0.1 nS [−0.6, 0.4]"
    return Verdict(
        sign=sign, sign_sentence=f"{sign}: {said}", evidence=evidence, quality=quality, n_baseline=21, n_post=21
    )


def words(shown):
    """All that is written in a figure, or in one panel, in the order it was written."""
    whole = isinstance(shown, Figure)
    panels = shown.axes if whole else [shown]
    said = [each.get_text() for each in shown.texts] if whole else []
    return " ".join(said + [each.get_text() for axes in panels for each in axes.texts])


def texts(figure):
    """Every text that is seen: of the figure, the panels, their axes and legends."""
    found = list(figure.texts)
    for axes in figure.axes:
        found += axes.texts
        legend = axes.get_legend()
        found += legend.get_texts() if legend else []
        if axes.axison:
            found += [axes.xaxis.label, axes.yaxis.label, axes.title, axes._left_title, axes._right_title]
            for axis in (axes.xaxis, axes.yaxis):
                low, high = sorted(axis.get_view_interval())
                ticks = [each for each in axis.get_major_ticks() if low <= each.get_loc() <= high]
                found += [each.label1 for each in ticks if each.label1.get_visible()]
    return [each for each in found if each.get_text().strip()]


def assert_readable(figure):
    """No text leaves the page, none lies upon another, and no line is without an end."""
    figure.set_dpi(150)
    figure.draw_without_rendering()
    boxes = [(each, each.get_window_extent()) for each in texts(figure)]
    assert len(boxes) > 10
    for each, box in boxes:
        assert figure.bbox.x0 <= box.x0, each
        assert box.x1 <= figure.bbox.x1, each
        assert figure.bbox.y0 <= box.y0, each
        assert box.y1 <= figure.bbox.y1, each
    for (one, a), (two, b) in combinations(boxes, 2):
        # Boxes hold the line's full height; letters that touch by 3 of 150 dots per inch do not.
        touch = min(a.x1, b.x1) - max(a.x0, b.x0) > 3 and min(a.y1, b.y1) - max(a.y0, b.y0) > 3
        assert not touch, (one, two)
    for axes in figure.axes:
        assert np.isfinite([*axes.get_xlim(), *axes.get_ylim()]).all()


def not_asked():
    return Verdict(sign="not asked", sign_sentence="there is one phase only: nothing to compare", n_baseline=17)
