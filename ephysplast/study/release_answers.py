"""What the conditions and trains of one cell say of release: variance–mean, Tsodyks–Markram, before against after."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast._words import listed
from ephysplast.quantal.tsodyks_markram import (
    Train,
    TsodyksMarkramComparison,
    TsodyksMarkramConfig,
    TsodyksMarkramFit,
    compare_tsodyks_markram,
    fit_tsodyks_markram,
)
from ephysplast.quantal.variance_mean import VarianceMeanConfig, VarianceMeanResult, measure_variance_mean
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Result
from ephysplast.study._release_times import SAME_TIME_S
from ephysplast.study.release_table import ReleaseCondition, ReleaseTable

if TYPE_CHECKING:
    import pandas as pd

VARIANCE_MEAN: Final = "variance–mean"
TSODYKS_MARKRAM: Final = "Tsodyks–Markram"

_LEAST_PULSES: Final = 3
_LEAST_SWEEPS: Final = 5
"""The error of a mean over fewer sweeps is hardly known, and the fit takes it as known."""
_MOST_MISSING: Final = 0.5
_RECOVERIES: Final = 4.0
"""After so many time constants less than 2 % of what a train used up is still lacking."""
_USUAL_S: Final = 5.0
"""Sweeps are hardly ever nearer than this."""


@dataclass(frozen=True, kw_only=True)
class ReleaseConfig:
    """Settings of both analyses.

    Attributes
    ----------
    variance_mean : VarianceMeanConfig
        Its ``same_sweeps`` is not looked at: it follows from the table.
    tsodyks_markram : TsodyksMarkramConfig
        Of the fit of each condition. Two conditions are compared with the defaults of
        :func:`~ephysplast.quantal.tsodyks_markram.compare_tsodyks_markram`.
    """

    variance_mean: VarianceMeanConfig = field(default_factory=VarianceMeanConfig)
    tsodyks_markram: TsodyksMarkramConfig = field(default_factory=TsodyksMarkramConfig)


@dataclass(frozen=True, eq=False, kw_only=True)
class VarianceMeanAnswer:
    """Variance against mean of one cell.

    Attributes
    ----------
    of : str
        ``"conditions"``, or the condition whose pulses are the points.
    labels : tuple of str
        Names of the points.
    result : VarianceMeanResult
        What was found.
    """

    of: str
    labels: tuple[str, ...]
    result: VarianceMeanResult


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainAnswer:
    """The trains of one condition and their fit.

    Attributes
    ----------
    of : str
        The condition.
    trains : tuple of Train
        Means over the sweeps whose pulses come at the same times.
    fit : TsodyksMarkramFit
        What was found.
    """

    of: str
    trains: tuple[Train, ...]
    fit: TsodyksMarkramFit


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleaseAnswers(Result):
    """All that one cell says of release.

    Attributes
    ----------
    variance_mean : tuple of VarianceMeanAnswer
        One over the conditions, or one for the pulses of each; none when that is not possible.
    trains : tuple of TrainAnswer
        One for each condition with trains.
    comparison : TsodyksMarkramComparison or None
        Of two conditions with trains: what changed.
    compared : tuple of (str, str)
        Which two; empty words without a comparison.
    reasons : mapping of str to str
        ``"variance–mean"`` and ``"Tsodyks–Markram"`` → why there is none.
    unit : str
        Of the amplitudes.
    """

    variance_mean: tuple[VarianceMeanAnswer, ...]
    trains: tuple[TrainAnswer, ...]
    comparison: TsodyksMarkramComparison | None
    compared: tuple[str, str]
    reasons: dict[str, str]
    unit: str

    def to_frame(self) -> "pd.DataFrame":
        """Return the table of variance and mean, see :meth:`variance_mean_frame`."""
        return self.variance_mean_frame()

    def variance_mean_frame(self) -> "pd.DataFrame":
        """Return one row per point, with q and n of its fit in every row; or one row with the reason."""
        import pandas as pd

        if not self.variance_mean:
            return pd.DataFrame([{"status": self.reasons[VARIANCE_MEAN]}])
        frames = []
        for each in self.variance_mean:
            found, frame = each.result, each.result.to_frame()
            frame["condition"] = each.labels
            frame.insert(0, "of", each.of)
            frame.insert(2, "unit", self.unit)
            for name in ("q", "n"):
                held = getattr(found, name)
                frame[[name, f"{name}_low", f"{name}_high"]] = [held.value, held.low, held.high]
            frame[["model", "delta_aic"]] = [found.model, found.delta_aic]
            frames.append(frame.assign(statement=found.statement, status=found.status))
        return pd.concat(frames, ignore_index=True)

    def tsodyks_markram_frame(self) -> "pd.DataFrame":
        """Return one row per condition and quantity, those of the comparison last; or one row with the reason."""
        import pandas as pd

        if not self.trains:
            return pd.DataFrame([{"status": self.reasons[TSODYKS_MARKRAM]}])
        frames = []
        for each in self.trains:
            frame = each.fit.to_frame()
            frame.insert(0, "condition", each.of)
            frames.append(frame.assign(statement=each.fit.statement))
        if self.comparison is not None:
            frame = self.comparison.to_frame().drop(columns="method")
            before, after = self.compared
            frame.insert(0, "condition", f"{after} / {before}")
            frames.append(frame.assign(call=self.comparison.call, statement=self.comparison.statement))
        return pd.concat(frames, ignore_index=True)


def analyse_release(
    table: ReleaseTable, *, rng: np.random.Generator, config: ReleaseConfig | None = None
) -> ReleaseAnswers:
    """Ask one cell all that its conditions and trains can answer.

    Variance against mean is taken over the conditions where there are three or more; over the pulses of each condition
    where there are fewer, or where they are the phases of an experiment, between which more than release may have
    changed. Trains of three pulses and more with known times are fitted, condition by condition, and two conditions
    (baseline and post, or the only two) are compared.

    Parameters
    ----------
    table : ReleaseTable
        From :func:`~ephysplast.study.release_table.read_release`.
    rng : numpy.random.Generator
        The same seed gives the same numbers.
    config : ReleaseConfig, optional
        Settings of both.

    Returns
    -------
    ReleaseAnswers
        What is not possible is in its `reasons`; what nature does not tell, in the status of each result.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> def condition(p):
    ...     amplitude = 10.0 * rng.binomial(8, p, (300, 1)) + rng.normal(0.0, 1.0, (300, 1))
    ...     return ReleaseCondition(name=f"p {p}", amplitude=amplitude, times_s=np.zeros((300, 1)), noise_sd=1.0)
    >>> table = ReleaseTable(name="cell 1", unit="pA", conditions=tuple(map(condition, (0.1, 0.3, 0.6, 0.9))))
    >>> config = ReleaseConfig(variance_mean=VarianceMeanConfig(cv_within=0.0, cv_between=0.0))
    >>> found = analyse_release(table, rng=rng, config=config)
    >>> round(found.variance_mean[0].result.n.value), found.reasons["Tsodyks–Markram"]
    (8, 'one pulse in a sweep: short-term plasticity needs trains of 3 or more')
    """
    settings = config or ReleaseConfig()
    reasons: dict[str, str] = {}
    over, why = _variance_mean(table, rng, settings.variance_mean)
    if why:
        reasons[VARIANCE_MEAN] = why
    trains: list[TrainAnswer] = []
    lacking = {each.name: _trains(each) for each in table.conditions}
    by_name = {each.name: each for each in table.conditions}
    for name, (made, _) in lacking.items():
        if made:
            fit = fit_tsodyks_markram(made, rng=rng, config=settings.tsodyks_markram, unit=table.unit)
            trains.append(TrainAnswer(of=name, trains=made, fit=_with_doubts(fit, made, by_name[name])))
    whys = {name: said for name, (_, said) in lacking.items() if said}
    if whys:
        same = len(set(whys.values())) == 1 and not trains
        reasons[TSODYKS_MARKRAM] = (
            next(iter(whys.values())) if same else "; ".join(f"{name}: {said}" for name, said in whys.items())
        )
    comparison = _comparison(table, {each.of: each.trains for each in trains}, rng)
    return ReleaseAnswers(
        variance_mean=over,
        trains=tuple(trains),
        comparison=comparison,
        compared=(table.before, table.after) if comparison else ("", ""),
        reasons=reasons,
        unit=table.unit,
    )


def _with_doubts(fit: TsodyksMarkramFit, trains: tuple[Train, ...], condition: ReleaseCondition) -> TsodyksMarkramFit:
    """Say first which sweeps are left out, and whether sweeps come too soon for a train to start from rest."""
    told = dict(zip(fit.names, fit.told, strict=True)) if fit.told else {}
    known = [name for name in ("d_ms", "f_ms") if told.get(name) in ("identified", "loosely", "at least")]
    slowest = 1e-3 * max((getattr(fit, name).value for name in known), default=0.0)
    needed = max(float(each.times_s[-1]) for each in trains) + _RECOVERIES * slowest
    said = [fit.statement]
    if condition.interval_s < needed:
        said.insert(
            0,
            f"sweeps come every {condition.interval_s:.3g} s, too soon for a train to start from rest: D and A are too "
            "small, by more than their intervals say",
        )
    elif np.isnan(condition.interval_s) and needed > _USUAL_S:
        said.append(f"this holds only if sweeps come {needed:.2g} s apart or more, so that trains start from rest")
    few = sum(each.size for each in _alike(condition.times_s) if each.size < _LEAST_SWEEPS)
    if few:
        said.append(f"left out: {few} of {len(condition.times_s)} sweeps, whose times fewer than {_LEAST_SWEEPS} share")
    return replace(fit, statement="; ".join(said))


def _comparison(
    table: ReleaseTable, trains: dict[str, tuple[Train, ...]], rng: np.random.Generator
) -> TsodyksMarkramComparison | None:
    if not (table.before in trains and table.after in trains):
        return None
    return compare_tsodyks_markram(trains[table.before], trains[table.after], rng=rng)


def _variance_mean(
    table: ReleaseTable, rng: np.random.Generator, config: VarianceMeanConfig
) -> tuple[tuple[VarianceMeanAnswer, ...], str]:
    """Choose the points of variance against mean, or say why there are none."""
    conditions = table.conditions
    n_pulses = conditions[0].amplitude.shape[1]
    enough = 0 if table.are_phases else len(conditions)
    if n_pulses == 1 and enough < 2:
        between = "there is one condition"
        if table.are_phases:
            phases = listed([each.name for each in conditions])
            between = f"{phases} are phases, between which q and n may change as well as release"
        return (), f"{between}, and one pulse in a sweep: three or more release conditions are needed, or trains"
    if not all(np.isfinite(each.noise_sd) for each in conditions):
        return (), "the noise is not known, so its variance cannot be taken off"
    if enough >= 3 or n_pulses == 1 or (enough == 2 and n_pulses == 2):
        found = measure_variance_mean(
            [each.amplitude[:, 0] for each in conditions],
            noise_sd=np.array([each.noise_sd for each in conditions]),
            noise_readings=np.array([each.n_noise for each in conditions]),
            rng=rng,
            config=replace(config, same_sweeps=False),
            unit=table.unit,
        )
        labels = tuple(each.name for each in conditions)
        return (VarianceMeanAnswer(of="conditions", labels=labels, result=found),), ""
    return tuple(_over_pulses(each, rng, config, table.unit) for each in conditions), ""


def _over_pulses(
    condition: ReleaseCondition, rng: np.random.Generator, config: VarianceMeanConfig, unit: str
) -> VarianceMeanAnswer:
    """Take the pulses of a train as release conditions: those that all sweeps share, or of the commonest train."""
    every = np.arange(len(condition.times_s))
    sweeps, pulses = max(
        ((each, _shared_pulses(condition, each)) for each in (every, *_alike(condition.times_s))),
        key=lambda each: (min(each[1].size, _LEAST_PULSES), each[0].size),
    )
    found = measure_variance_mean(
        [condition.amplitude[sweeps, k] for k in pulses],
        noise_sd=condition.noise_sd,
        noise_readings=condition.n_noise,
        rng=rng,
        config=replace(config, same_sweeps=True),
        unit=unit,
    )
    return VarianceMeanAnswer(of=condition.name, labels=tuple(f"pulse {k + 1}" for k in pulses), result=found)


def _shared_pulses(condition: ReleaseCondition, sweeps: IntArray) -> IntArray:
    """Return the pulses that these sweeps have at one time, and whose response is known in most of them."""
    times, known = condition.times_s[sweeps], np.isfinite(condition.amplitude[sweeps])
    timed = np.isfinite(times)
    latest = np.where(timed, times, -np.inf).max(axis=0)
    apart = latest - np.where(timed, times, np.inf).min(axis=0) > SAME_TIME_S
    return np.flatnonzero(~apart & (known.mean(axis=0) > _MOST_MISSING))


def _trains(condition: ReleaseCondition) -> tuple[tuple[Train, ...], str]:
    """Take the mean of the sweeps that have the same pulses; or say why no course can be fitted."""
    n_pulses = condition.amplitude.shape[1]
    if n_pulses < _LEAST_PULSES:
        count = "one pulse" if n_pulses == 1 else f"{n_pulses} pulses"
        return (), f"{count} in a sweep: short-term plasticity needs trains of {_LEAST_PULSES} or more"
    if not np.isfinite(condition.times_s[:, 1:]).any():
        return (), "the times of the pulses are not known: give pulse_time_s, --interval-ms or --frequency-hz"
    made = [_mean_train(condition, each) for each in _alike(condition.times_s) if each.size >= _LEAST_SWEEPS]
    kept = tuple(each for each in made if each is not None)
    if not kept:
        return (), f"fewer than {_LEAST_SWEEPS} sweeps have the same pulses, so the errors of the means are not known"
    if max(each.times_s.size for each in kept) < _LEAST_PULSES:
        return (), f"no train has {_LEAST_PULSES} pulses or more"
    return kept, ""


def _alike(times_s: FloatArray) -> list[IntArray]:
    """Put sweeps together whose pulses come at the same times."""
    filled = np.where(np.isfinite(times_s), times_s, -1.0)
    firsts: list[int] = []
    group = np.zeros(len(filled), dtype=np.intp)
    for i, times in enumerate(filled):
        same = np.flatnonzero((np.abs(filled[firsts] - times) <= SAME_TIME_S).all(axis=1))
        group[i] = same[0] if same.size else len(firsts)
        firsts += [] if same.size else [i]
    return [np.flatnonzero(group == k) for k in range(len(firsts))]


def _mean_train(condition: ReleaseCondition, sweeps: IntArray) -> Train | None:
    amplitude, times = condition.amplitude[sweeps], condition.times_s[sweeps[0]]
    given = np.isfinite(times)
    amplitude, times = amplitude[:, given], times[given]
    count = np.isfinite(amplitude).sum(axis=0)
    mean, se = np.full(times.size, np.nan), np.full(times.size, np.nan)
    for k in np.flatnonzero(count >= _LEAST_SWEEPS):
        values = amplitude[np.isfinite(amplitude[:, k]), k]
        # The amplitudes of a few sweeps may lie closer together by chance than the noise lets them be.
        se[k] = np.fmax(values.std(ddof=1), condition.noise_sd) / np.sqrt(values.size)
        mean[k] = values.mean() if se[k] > 0.0 else np.nan
    return Train(times_s=times, amplitude=mean, se=se) if np.isfinite(mean).any() else None
