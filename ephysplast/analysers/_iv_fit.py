"""A robust curve through a current–voltage relation, and how it would have come out had the noise been another.

Every draw adds to the fit what single observations pull it by, each times a random number: the multiplier form of the
wild bootstrap (Wu 1986, doi 10.1214/aos/1176350142). The potentials stay as they are, so that no draw loses one, and
one sweep per potential is enough. Residuals are freed of their leverage (HC2), and the spread of the draws is that of
Student's t with the degrees of freedom of Bell & McCaffrey (2002), so that draws of two phases can be compared as they
are. Readings of steps count by how much they vary, which they do the more the larger the response.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import gammaincinv

from ephysplast.analysers._iv_correct import Points
from ephysplast.analysers._nernst import ghk_current
from ephysplast.recording import FloatArray
from ephysplast.signal import robust_sd
from ephysplast.statistics import block_length

if TYPE_CHECKING:
    from ephysplast.analysers.reversal import ReversalConfig

_ITERATIONS = 40
_FEWEST_RAMPS = 3
_ENOUGH_FOR_SPREAD = (
    15  # readings from which a spread that changes with the response can be told from one that does not
)
_WILD = 4.0  # robust SD: what lies further is no spread but an event
_LEAST_SPREAD = 0.2  # of the usual spread: no reading counts more than 25 times
_SPREAD_ROUNDS = 8
_NOTHING: Final = np.empty(0)
_SLOPE: Final = np.array([0.0, 1.0])


class Curve(NamedTuple):
    """A fitted curve of two parameters.

    Attributes
    ----------
    parameters : numpy.ndarray, shape (2,)
        Of a line: the value at `centre` and the slope; of GHK: reversal, and slope there.
    centre : float
        In mV; NaN for GHK.
    temperature_degc : float
        For GHK.
    """

    parameters: FloatArray
    centre: float
    temperature_degc: float

    @property
    def is_line(self) -> bool:
        """Whether it is a straight line."""
        return bool(np.isfinite(self.centre))

    def at(self, vm_mv: FloatArray) -> FloatArray:
        """Evaluate it."""
        first, second = self.parameters
        if self.is_line:
            return np.asarray(first + second * (vm_mv - self.centre), dtype=np.float64)
        return np.asarray(second * ghk_current(vm_mv, float(first), temperature_degc=self.temperature_degc))

    def design(self, vm_mv: FloatArray) -> FloatArray:
        """Return the derivatives by the parameters, shape (n, 2)."""
        if self.is_line:
            return np.stack([np.ones(vm_mv.size), vm_mv - self.centre], axis=1)
        first, second = (float(each) for each in self.parameters)
        steps = [second * ghk_current(vm_mv, first + d, temperature_degc=self.temperature_degc) for d in (-0.01, 0.01)]
        return np.stack(
            [(steps[1] - steps[0]) / 0.02, ghk_current(vm_mv, first, temperature_degc=self.temperature_degc)], axis=1
        )

    def reversal_and_slope(self, parameters: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Turn parameters, shape (..., 2), into reversal and slope; infinite where the slope is not above zero."""
        first, second = parameters[..., 0], parameters[..., 1]
        if not self.is_line:
            return first, second
        rises = second > 0.0
        crossing = self.centre - first / np.where(rises, second, 1.0)
        return np.where(rises, crossing, -np.sign(first) * np.inf), second

    def by_reversal(self) -> FloatArray:
        """Return the derivatives of the reversal by the parameters, shape (2,)."""
        if not self.is_line:
            return np.array([1.0, 0.0])
        first, second = self.parameters
        return np.array([-1.0 / second, first / second**2]) if second else np.array([1.0, 0.0])


class Fitted(NamedTuple):
    """A curve, and the pulls of independent observations on its parameters.

    Pulls come in groups of (n_units, 2), each with its degrees of freedom for reversal and slope.
    `slope_varies` is False where one or two ramps cannot tell how much the conductance varies from ramp to ramp.
    """

    curve: Curve
    pulls: tuple[tuple[FloatArray, FloatArray], ...]
    said: str
    slope_varies: bool = True

    @property
    def reversal_mv(self) -> float:
        """Where it crosses zero."""
        return float(self.curve.reversal_and_slope(self.curve.parameters)[0])

    @property
    def slope(self) -> float:
        """Its slope there."""
        return float(self.curve.parameters[1])


def fit_points(points: Points, *, is_ramp: bool, temperature_degc: float, config: "ReversalConfig") -> Fitted:
    """Fit all points, and find what counts as one independent observation."""
    n_ramps, n_control = np.unique(points.cluster).size, len(points.control_off)
    many = n_ramps >= _FEWEST_RAMPS and (not points.controlled or n_control >= _FEWEST_RAMPS)
    if is_ramp and many:
        fit = _robust(points.vm_mv, points.value, temperature_degc, config)
        pulls = [_cluster_pulls(fit, points.cluster)]
        if n_control:
            off = -(points.control_off * fit.inlier) @ fit.design @ fit.bread
            pulls.append((off / np.sqrt(n_control * (n_control - 1.0)), np.full(2, n_control - 1.0)))
        return Fitted(fit.curve, tuple(pulls), f"{n_ramps} ramps")
    if is_ramp:
        fit = _robust(*_level_means(points, by_command=True), temperature_degc, config)
        blocks = np.arange(fit.psi.size) // max(block_length(fit.psi), 1)
        plural = "s" if n_ramps > 1 else ""
        return Fitted(fit.curve, (_cluster_pulls(fit, blocks),), f"{n_ramps} ramp{plural}, stretch by stretch", False)
    vm, value = (points.vm_mv, points.value) if not points.controlled else _level_means(points, by_command=False)
    fit = _robust(vm, value, temperature_degc, config)
    if vm.size >= _ENOUGH_FOR_SPREAD:
        fit = _robust(vm, value, temperature_degc, config, spread=_spread(value - fit.curve.at(vm), fit.curve.at(vm)))
    said = f"means at {vm.size} potentials" if points.controlled else f"{vm.size} readings"
    return Fitted(fit.curve, (_reading_pulls(fit),), said)


def draw(fitted: Fitted, n_boot: int, rng: np.random.Generator) -> tuple[FloatArray, FloatArray]:
    """Draw reversal and slope in pairs, shape (n_boot,) each; empty where nothing tells how sure they are."""
    if not all(np.isfinite(pulls).all() and (freedom > 0.0).all() for pulls, freedom in fitted.pulls):
        return _NOTHING, _NOTHING
    moved = np.zeros((n_boot, 2))
    for pulls, _ in fitted.pulls:
        moved += rng.normal(size=(n_boot, len(pulls))) @ pulls
    # Reversal and slope each have their degrees of freedom; what makes one of them uncertain is shared.
    share = rng.uniform(size=n_boot)
    spread = [np.sqrt(0.5 * each / gammaincinv(0.5 * each, share)) for each in _freedoms(fitted)]
    toward = fitted.curve.by_reversal()
    reversal, slope = spread[0] * (moved @ toward), spread[1] * moved[:, 1]
    moved = np.stack([(reversal - toward[1] * slope) / toward[0], slope], axis=1)
    return fitted.curve.reversal_and_slope(fitted.curve.parameters + moved)


def _freedoms(fitted: Fitted) -> list[float]:
    """Degrees of freedom of reversal and slope, of all that makes them uncertain (Welch & Satterthwaite)."""
    answer = []
    for i, toward in enumerate((fitted.curve.by_reversal(), _SLOPE)):
        variances = np.array([float(np.sum((pulls @ toward) ** 2)) for pulls, _ in fitted.pulls])
        freedoms = np.array([freedom[i] for _, freedom in fitted.pulls])
        total = float(variances.sum())
        answer.append(total**2 / float(np.sum(variances**2 / freedoms)) if total > 0.0 else float(freedoms.min()))
    return answer


class _Robust(NamedTuple):
    """A fit by iterated weights (Huber 1964): what the pulls are made of, each row over its spread."""

    curve: Curve
    design: FloatArray
    psi: FloatArray
    inlier: FloatArray
    bread: FloatArray


def _robust(
    vm: FloatArray,
    value: FloatArray,
    temperature_degc: float,
    config: "ReversalConfig",
    *,
    spread: FloatArray | None = None,
) -> _Robust:
    centre, sd = float(vm.mean()), np.ones(vm.size) if spread is None else spread
    line = _converged(Curve(_least_squares(vm - centre, value), centre, temperature_degc), vm, value, sd, config)
    if config.fit == "GHK":
        reversal, slope = (float(each) for each in line.curve.reversal_and_slope(line.curve.parameters))
        start = np.array([np.clip(reversal, vm.min() - 20.0, vm.max() + 20.0), slope])
        return _converged(Curve(start, float("nan"), temperature_degc), vm, value, sd, config)
    return line


def _converged(curve: Curve, vm: FloatArray, value: FloatArray, sd: FloatArray, config: "ReversalConfig") -> _Robust:
    few = np.sqrt(vm.size / max(vm.size - 2.0, 1.0))
    for _ in range(_ITERATIONS):
        residual = (value - curve.at(vm)) / sd
        limit = config.huber_sd * few * robust_sd(residual)
        size = np.abs(residual)
        # A perfect fit has no scale to judge outliers by.
        weight = np.divide(limit, size, out=np.ones(vm.size), where=(size > limit) & (limit > 0.0))
        design = curve.design(vm) / sd[:, None]
        step = _inverse(design, weight) @ (design.T @ (weight * residual))
        curve = curve._replace(parameters=curve.parameters + step)
        if np.all(np.abs(step) <= 1e-9 * (np.abs(curve.parameters) + 1e-12)):
            break
    residual = (value - curve.at(vm)) / sd
    inlier = (weight >= 1.0).astype(np.float64)
    if inlier.sum() < 3:
        inlier = np.ones(vm.size)
    design = curve.design(vm) / sd[:, None]
    return _Robust(curve, design, weight * residual, inlier, _inverse(design, inlier))


def _spread(residual: FloatArray, fitted: FloatArray) -> FloatArray:
    """Estimate the SD of each reading: noise, and what varies from sweep to sweep in proportion to the response.

    Near the reversal a response varies little however much its conductance does: there the readings say most of it.
    ``variance = a + b·response²`` is fitted to the squared residuals, each over its own variance.
    """
    usual = robust_sd(residual)
    if not usual > 0.0:
        return np.ones(residual.size)
    squares = np.minimum(np.abs(residual), _WILD * usual) ** 2
    columns = np.stack([np.ones(residual.size), fitted**2], axis=1)
    variance = np.full(residual.size, usual**2)
    for _ in range(_SPREAD_ROUNDS):
        parts, _ = nnls(columns / variance[:, None], squares / variance)
        variance = np.maximum(columns @ parts, (_LEAST_SPREAD * usual) ** 2)
    return np.asarray(np.sqrt(variance), dtype=np.float64)


def _least_squares(apart: FloatArray, value: FloatArray) -> FloatArray:
    power = float(apart @ apart)
    return np.array([float(value.mean()), float(apart @ value) / power if power > 0.0 else 0.0])


def _inverse(design: FloatArray, weight: FloatArray) -> FloatArray:
    return np.asarray(np.linalg.pinv((design * weight[:, None]).T @ design, hermitian=True), dtype=np.float64)


def _cluster_pulls(fit: _Robust, cluster: NDArray[np.integer]) -> tuple[FloatArray, FloatArray]:
    """Gather the pulls of the readings of one ramp, or of one stretch of it."""
    names, place = np.unique(cluster, return_inverse=True)
    sums = np.zeros((names.size, 2))
    np.add.at(sums, place.reshape(-1), fit.design * fit.psi[:, None])
    freedom = names.size - 1.0
    return sums @ fit.bread * np.sqrt(names.size / max(freedom, 1.0)), np.full(2, freedom)


def _reading_pulls(fit: _Robust) -> tuple[FloatArray, FloatArray]:
    """Return the pull of each reading, freed of its leverage, and the degrees of freedom of reversal and slope."""
    hat = np.einsum("ij,jk,ik->i", fit.design, fit.bread, fit.design) * fit.inlier
    free = np.sqrt(np.clip(1.0 - hat, 1e-6, None))
    pulls = (fit.design * (fit.psi / free)[:, None]) @ fit.bread
    if fit.psi.size <= 2:
        return pulls, np.zeros(2)
    kept = np.flatnonzero(fit.inlier)
    left = np.eye(kept.size) - fit.design[kept] @ fit.bread @ fit.design[kept].T
    freedoms = []
    for toward in (fit.curve.by_reversal(), _SLOPE):
        share = (fit.design @ fit.bread @ toward / free)[kept]
        gram = share[:, None] * left * share[None, :]
        trace = float(np.trace(gram))
        freedoms.append(max(trace**2 / float(np.sum(gram**2)), 1.0) if trace > 0.0 else 0.0)
    return pulls, np.array(freedoms)


def _level_means(points: Points, *, by_command: bool) -> tuple[FloatArray, FloatArray]:
    """Return mean potential and mean response at each command: of ramps in bins, of steps at each level."""
    group = np.unique(np.round(points.command_mv, 3), return_inverse=True)[1] if by_command else points.level
    group = np.unique(group, return_inverse=True)[1].reshape(-1)
    count = np.bincount(group)
    return np.bincount(group, points.vm_mv) / count, np.bincount(group, points.value) / count
