"""What must hold of exported amplitudes: readings that can be noise, and one sign."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import number
from ephysplast.errors import OK, EphysplastError, SettingsError
from ephysplast.recording import FloatArray
from ephysplast.study._amplitude_columns import Found
from ephysplast.study._amplitude_rows import Sweeps

NO_UNIT: Final = "a.u."
"""Unit of amplitudes whose table does not say it."""
_CLEAR_SE: Final = 4.0
_NOISE_SD: Final = 3.0
_OTHER_SIGN: Final = 0.25
"""Share of responses with the wrong sign, beyond what noise explains, from which amplitudes are called mixed."""
_MINOR: Final = 0.02
_FEW_READINGS: Final = 16
"""As many readings of noise have one sign by chance once in 30,000 tables."""


def noise_readings(
    sweeps: Sweeps, found: Found, told: float | None, *, lost: str = "the locus cannot be asked"
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return readings of the noise; a stated SD becomes readings that have exactly that. `lost`: what needs them."""
    unit = sweeps.unit or NO_UNIT
    if told is not None:
        if not (np.isfinite(told) and told > 0.0):
            raise SettingsError("the SD of the noise is not possible", got=f"{told:g}", wanted="a number above 0")
        sd = told * (sweeps.factor if np.isfinite(sweeps.factor) else 1.0)
        made = np.full(sweeps.phase.size, np.nan)
        for phase in _phases(sweeps):
            here = _used(sweeps, phase)
            made[here] = _readings(int(here.sum()), sd)
        return made, (f"noise SD {number(sd)} {unit}, as told",)
    if "noise" in found.roles:
        _check_readings(sweeps, found)
        return sweeps.noise, ()
    if "noise_sd" in found.roles:
        return _stated(sweeps, found.roles["noise_sd"])
    return sweeps.noise, (
        f"the noise is not in the table, so {lost}: add a column noise (the same cursor in a stretch without a "
        "response), or give its SD with --noise-sd",
    )


def _stated(sweeps: Sweeps, column: str) -> tuple[FloatArray, tuple[str, ...]]:
    known = np.isfinite(sweeps.noise_sd)
    if (sweeps.noise_sd[known] <= 0.0).any():
        raise EphysplastError(
            f"the column '{column}' has an SD that is not possible",
            got=f"{sweeps.noise_sd[known].min():g}",
            wanted="numbers above 0",
        )
    made, said = np.full(sweeps.phase.size, np.nan), []
    for phase in _phases(sweeps):
        here = _used(sweeps, phase)
        if (here & known).any():
            sd = float(np.sqrt(np.mean(sweeps.noise_sd[here & known] ** 2)))
            made[here] = _readings(int(here.sum()), sd)
            said.append(f"{number(sd)} in {phase}")
    return made, (f"noise SD {' and '.join(said)} ({sweeps.unit or NO_UNIT}), from '{column}'",)


def _used(sweeps: Sweeps, phase: str) -> NDArray[np.bool_]:
    """Return which sweeps of a phase count: of every other one, readings that alternate would have no spread."""
    return np.asarray((sweeps.phase == phase) & np.array([each == OK for each in sweeps.excluded], dtype=np.bool_))


def _readings(n: int, sd: float) -> FloatArray:
    signs = np.where(np.arange(n) % 2 == 0, 1.0, -1.0)
    return sd * signs / (float(signs.std(ddof=1)) if n > 1 else 1.0)


def _check_readings(sweeps: Sweeps, found: Found) -> None:
    """Refuse readings that cannot be noise: an SD in their place would make every change look like one of release."""
    column = found.roles["noise"]
    for phase in _phases(sweeps):
        values = sweeps.noise[(sweeps.phase == phase) & np.isfinite(sweeps.noise)]
        if values.size < _FEW_READINGS or found.is_study:
            continue
        if np.ptp(values) == 0.0:
            raise EphysplastError(
                f"the readings in the column '{column}' are all the same in {phase}",
                got=f"{values[0]:g} in {values.size} sweeps",
                wanted="a reading per sweep of the same cursor in a stretch without a response",
                remedy="name the column noise_sd if it holds the SD of the noise",
            )
        if (values > 0.0).all() or (values < 0.0).all():
            raise EphysplastError(
                f"the readings in the column '{column}' have one sign in all {values.size} sweeps of {phase}",
                got=f"{number(values.min())} to {number(values.max())}",
                wanted="readings about 0, of the same cursor in a stretch without a response, its baseline subtracted",
                remedy="name the column noise_sd if it holds SDs; the peak of a stretch of noise is of no use",
            )


def check_signs(
    sweeps: Sweeps,
    amplitude: FloatArray,
    used: NDArray[np.bool_],
    noise: FloatArray,
    found: Found,
) -> tuple[str, ...]:
    """Refuse amplitudes of mixed sign, and say where a few responses have the other one."""
    notes, means = [], []
    for phase in _phases(sweeps):
        here = used & (sweeps.phase == phase)
        readings = noise[here & np.isfinite(noise)]
        sd = float(readings.std(ddof=1)) if readings.size > 1 else 0.0
        for k in range(amplitude.shape[1]):
            values = amplitude[here, k]
            values = values[np.isfinite(values)]
            share = _other_sign(values, sd)
            name = found.amplitudes[k if len(found.amplitudes) > 1 else 0]
            if share > _OTHER_SIGN:
                raise _mixed_sign(name, f"{100 * share:.0f} % of the {phase} sweeps have the other sign beyond noise")
            if share > _MINOR:
                notes.append(f"{100 * share:.0f} % of the responses in {phase} have the other sign, beyond noise")
        first = amplitude[here, 0]
        first = first[np.isfinite(first)]
        means.append((float(first.mean()), float(first.std()) / np.sqrt(first.size)) if first.size else (0.0, 0.0))
    first, *others = _phases(sweeps)
    (before, _), *later = means
    for phase, (after, error) in zip(others, later, strict=True):
        if after < -_OTHER_SIGN * before and after < -_CLEAR_SE * error:
            got = f"along the {first}'s direction, {first} {number(before)}, {phase} {number(after)} on average"
            raise _mixed_sign(found.amplitudes[0], got)
    return tuple(notes)


def _phases(sweeps: Sweeps) -> list[str]:
    """Return the phases in their order, the baseline first."""
    return list(dict.fromkeys(sweeps.phase.tolist()))


def _other_sign(values: FloatArray, noise_sd: float) -> float:
    """Return the share of responses that go the other way, and that noise does not explain."""
    if values.size < 2:
        return 0.0
    if noise_sd > 0.0:
        return float(np.mean(values < -_NOISE_SD * noise_sd))
    # Without the noise, failures cannot be told from it; where the mean is clear, this many of them are none.
    clear = float(values.mean()) > _CLEAR_SE * float(values.std()) / np.sqrt(values.size)
    share = float(np.mean(values < 0.0))
    return share if clear and share > _OTHER_SIGN else 0.0


def _mixed_sign(column: str, got: str) -> EphysplastError:
    return EphysplastError(
        f"the column '{column}' has amplitudes of mixed sign",
        got=got,
        wanted="inward currents negative and outward ones positive in every row, or the other way round",
        remedy="export all rows with their signs from the same baseline, and give the noise, so that failures can be "
        "told; a sign that was lost cannot be put back",
    )
