"""Experiments to draw: built from closed forms, so that what stands in a figure can be told beforehand.

The tests of this folder share `drawn_cells`.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ephysplast.analysers.evoked import EvokedTraces
from ephysplast.analysers.paired_pulse import PairedPulseResult
from ephysplast.analysers.variability import VariabilityResult
from ephysplast.errors import OK
from ephysplast.experiment import SweepTable
from ephysplast.verdict import AmplitudeFit, CvPlane, Evidence, QualityCheck, Verdict

sys.path.insert(0, str(Path(__file__).parent))


@dataclass(frozen=True, eq=False)
class Case:
    """What :func:`experiment_figure` wants."""

    title: str
    subtitle: str
    table: SweepTable
    control: SweepTable | None
    evoked: dict[str, EvokedTraces]
    paired_pulse: dict[str, PairedPulseResult]
    verdict: Verdict

    @property
    def arguments(self) -> dict[str, Any]:
        return dict(vars(self))


def make_table(rng, *, change=1.5, unit="pA", n_pulses=2, mean=60.0, n=(60, 240), rs=12.0, gap_s=480.0) -> SweepTable:
    n_all = sum(n)
    time_s = np.concatenate([10.0 * np.arange(n[0]), 10.0 * n[0] + gap_s + 10.0 * np.arange(n[1])])
    level = np.repeat([mean, mean * change], n)
    amplitude = level[:, None] * np.linspace(1.0, 1.4, n_pulses) + rng.normal(0, 0.25 * mean, (n_all, n_pulses))
    excluded = [OK] * n_all
    for i in range(5, n_all, 97):
        excluded[i] = "R_s above 30 MΩ"
    return SweepTable(
        unit=unit,
        phase=np.repeat(["baseline", "post"], n),
        time_s=time_s,
        amplitude=amplitude,
        noise=rng.normal(0, 3.0, n_all),
        interval_s=0.05 * np.arange(n_pulses),
        rs_mohm=rs + rng.normal(0, 0.4, n_all),
        rin_mohm=180 + rng.normal(0, 6, n_all),
        holding=-45 + rng.normal(0, 4, n_all),
        excluded=tuple(excluded),
        file=("a.abf",) * n_all,
        sweep=np.arange(1, n_all + 1),
    )


def make_evoked(rng, peak, *, unit="pA", interval_s=(0.0, 0.05), n=60, rate_hz=20000.0, after_s=0.05) -> EvokedTraces:
    time_s = np.arange(round(-0.0055 * rate_hz), round(after_s * rate_hz)) / rate_hz
    since = np.clip(time_s - 0.002, 0, None)
    shape = (np.exp(-since / 0.006) - np.exp(-since / 0.001)) / 0.58
    artefact = np.where((time_s >= 0) & (time_s < 0.0004), 20.0 * abs(peak), 0.0)
    gain = 1.0 + 0.3 * rng.normal(size=(n, len(interval_s), 1))
    held = -40.0 + rng.normal(0, 5, (n, 1, 1))
    noise = rng.normal(0, 0.06 * abs(peak), (n, len(interval_s), len(time_s)))
    traces = held + gain * peak * shape + artefact + noise
    at = 0.1 + np.tile(interval_s, (n, 1))
    return EvokedTraces(
        traces=traces,
        time_s=time_s,
        unit=unit,
        clamp="voltage" if unit == "pA" else "current",
        rate_hz=rate_hz,
        interval_s=np.asarray(interval_s),
        sweeps=np.arange(n),
        sweep_start_s=10.0 * np.arange(n),
        stimulus_s=at,
        event_s=at,
        reason=np.full(at.shape, OK),
        part=np.zeros(n, dtype=np.int64),
        channel="IN 0",
        method="command",
    )


def make_verdict(rng, *, r=1.5, y=2.2) -> Verdict:
    cloud = np.exp(rng.normal(0, [[0.06], [0.35]], (2, 2000)))
    return Verdict(
        sign="LTP" if r > 1 else "LTD",
        change=r,
        change_low=r * 0.93,
        change_high=r * 1.07,
        sign_sentence=f"the response changed to {100 * r:.0f} % of the baseline in the last 10 min",
        locus="pre",
        locus_sentence="both the CV⁻² and the paired-pulse ratio changed as a change of release probability predicts",
        evidence=(
            Evidence(
                index="CV⁻²",
                value=y,
                low=y / 2,
                high=y * 2,
                points_to="pre",
                sentence=f"CV⁻² changed to {y:.2f} [{y / 2:.2f}, {y * 2:.2f}] times the baseline, φ = 18° [4, 31]",
            ),
            Evidence(
                index="PPR",
                value=-0.3,
                low=-0.5,
                high=-0.1,
                points_to="pre",
                sentence="the paired-pulse ratio fell from 1.41 to 1.12, difference −0.29 [−0.48, −0.11]",
            ),
            Evidence(index="failures", sentence="no failures in either phase: they say nothing"),
        ),
        quality=(
            QualityCheck(name="baseline", outcome="pass", sentence="stable"),
            QualityCheck(name="R_s", outcome="warn", sentence="R_s of 6 sweeps is above 30 MΩ; they are excluded"),
            QualityCheck(name="R_in", outcome="pass", sentence="within 30 %"),
        ),
        n_baseline=60,
        n_post=60,
        cv_plane=CvPlane(r=r, y=y, r_boot=r * cloud[0], y_boot=y * cloud[1], phi_deg=18.0, **make_theory()),
        locus_probabilities={"p": 0.93, "n": 0.04, "q": 0.001, "p+q": 0.029},
        amplitude_fit=make_fit(rng, r=r),
    )


def make_theory(p: float = 0.35) -> dict[str, Any]:
    """The curves of pure changes without quantal variability: 1/CV² is np/(1 − p)."""
    r = np.exp(np.linspace(np.log(0.1), np.log(10.0), 201))
    with np.errstate(divide="ignore"):
        pre = np.where(r * p < 1.0, r * (1 - p) / (1 - r * p), np.nan)
    return {"theory_r": r, "theory_y": {"p": pre, "n": r.copy(), "q": np.ones_like(r)}}


def make_fit(rng, *, r=1.5, unit="pA", n=(60, 240), noise=3.0) -> AmplitudeFit:
    """Responses with a third of failures, and the density they are drawn from."""
    at = np.linspace(-10.0, 60.0 * r + 40.0, 241)
    drawn, density = [], []
    for count, mean in zip(n, (30.0, 30.0 * r), strict=True):
        released = rng.random(count) > 1 / 3
        drawn.append(released * rng.normal(mean, 8.0, count) + rng.normal(0.0, noise, count))
        density.append(normal(at, 0.0, noise) / 3 + normal(at, mean, np.hypot(8.0, noise)) * 2 / 3)
    return AmplitudeFit(
        before=drawn[0],
        after=drawn[1],
        unit=unit,
        at=at,
        density_before=density[0],
        density_after=density[1],
        noise_before=noise,
        noise_after=1.1 * noise,
        locus="p",
    )


def normal(at, mean: float, sd: float) -> np.ndarray:
    return np.exp(-0.5 * ((at - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


def make_variability(fraction: float) -> VariabilityResult:
    return VariabilityResult(
        status=OK,
        failure_status=OK,
        n_sweeps=60,
        failure_fraction=fraction,
        failure_fraction_low=0.7 * fraction,
        failure_fraction_high=1.4 * fraction,
        outlier_index=np.empty(0, dtype=np.int64),
    )


def make_paired_pulse(ratio: float, *, n_pulses: int = 2) -> PairedPulseResult:
    ratios = np.full(n_pulses - 1, ratio) ** np.arange(1, n_pulses)
    return PairedPulseResult(
        status=OK,
        ratio_status=(OK,) * len(ratios),
        paired_pulse_ratio=ratios,
        ratio_low=ratios * 0.9,
        ratio_high=ratios * 1.15,
        mean_of_ratios=ratios,
        n_sweeps=np.full(len(ratios), 60),
        mean_amplitude=np.append(50.0, 50.0 * ratios),
        method="bootstrap",
        level=0.95,
    )


@pytest.fixture
def variability() -> dict[str, VariabilityResult]:
    """Failures that become rarer."""
    return {"baseline": make_variability(0.4), "post": make_variability(0.15)}


@pytest.fixture
def make(rng) -> Callable[..., Case]:
    """Build a whole experiment; `verdict` and other parts can be replaced."""

    def build(*, r=1.5, unit="pA", n_pulses=2, peak=-60.0, control=True, **others: Any) -> Case:
        intervals = tuple(0.05 * np.arange(n_pulses))
        ratios = {"baseline": 1.4, "post": 1.1} if n_pulses > 1 else {}
        case = Case(
            title="cell 07 PV->PC $1 & $2 <b> 100% _x_",
            subtitle="EPSC, L5 pyramid → L5 pyramid",
            table=make_table(rng, change=r, unit=unit, n_pulses=n_pulses, mean=abs(peak)),
            control=make_table(rng, change=1.0, unit=unit, n_pulses=n_pulses) if control else None,
            evoked={
                "baseline": make_evoked(rng, peak, unit=unit, interval_s=intervals),
                "post": make_evoked(rng, peak * r, unit=unit, interval_s=intervals, n=240),
            },
            paired_pulse={name: make_paired_pulse(ratio, n_pulses=n_pulses) for name, ratio in ratios.items()},
            verdict=make_verdict(rng, r=r, y=r**1.9),
        )
        return replace(case, **others)

    return build
