"""The synapse and the change that an experiment is planned for, and its recordings drawn release by release."""

from dataclasses import dataclass
from math import floor, inf, log1p
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import SettingsError, check_settings
from ephysplast.quantal import LocusPriors
from ephysplast.synthesis.release import ReleaseSites, sample_release

FloatArray = NDArray[np.float64]
Locus: TypeAlias = Literal["p", "n", "q"]

WHERE: Final = {"p": "release probability", "n": "release sites", "q": "quantal amplitude"}

_INTERVAL_S: Final = 0.05
_NEVER_MS: Final = 1e12
_AT_ONCE_MS: Final = 1e-3


@dataclass(frozen=True, kw_only=True)
class Synapse:
    """What is expected of the synapses to be recorded, before the change.

    Attributes
    ----------
    n : int
        Release sites.
    p : float
        Release probability of a site.
    q : float
        Mean quantal amplitude, a magnitude in any unit (pA, mV).
    noise_sd : float
        SD of the recording noise as it enters an amplitude, in the unit of `q`; 0 is allowed.
    cv_within, cv_between : float
        Quantal variability of a site from release to release, and from site to site.
    paired_pulse_ratio : float or None
        Mean second over mean first response; None: one pulse per sweep. A ratio below 1 is made by depletion alone
        (the share of sites that has recovered follows), one above 1 by facilitation alone (every site has recovered):
        of the ways to a ratio, these change least when p does, so that the plan is rather cautious.

    Raises
    ------
    SettingsError
        If a value is impossible, or no depletion or facilitation gives the ratio at this p.

    Examples
    --------
    >>> Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1).mean
    0.7
    """

    n: int
    p: float
    q: float
    noise_sd: float
    cv_within: float = 0.2
    cv_between: float = 0.2
    paired_pulse_ratio: float | None = None

    def __post_init__(self) -> None:
        check_settings(self, n=(1, 400), p=(0.001, 0.999), noise_sd=(0.0, inf), cv_within=(0.0, 2.0))
        check_settings(self, cv_between=(0.0, 0.8))
        if self.n != int(self.n):
            raise SettingsError("there are no fractions of release sites", got=f"n {self.n:g}", wanted="a whole number")
        if not 0.0 < self.q < inf or self.noise_sd == inf:
            raise SettingsError(
                "the amplitudes are impossible", got=f"q {self.q:g}, noise {self.noise_sd:g}", wanted="q above 0"
            )
        ratio = self.paired_pulse_ratio
        if ratio is not None and not 1.0 - self.p <= ratio <= 1.0 / self.p:
            raise SettingsError(
                f"no short-term plasticity gives this paired-pulse ratio at p {self.p:g}",
                got=f"{ratio:g}",
                wanted=f"{1 - self.p:.3g} (nothing recovers) to {1 / self.p:.3g} (every site releases)",
            )

    @property
    def mean(self) -> float:
        """Mean amplitude, n·p·q."""
        return self.n * self.p * self.q

    @property
    def cv(self) -> float:
        """Coefficient of variation of the amplitudes, recording noise included."""
        between = self.cv_between if self.n > 1 else 0.0
        spread = (1.0 - self.p) * (1.0 + between**2) + self.cv_within**2
        variance = self.n * self.q**2 * self.p * spread + self.noise_sd**2
        return float(np.sqrt(variance)) / self.mean

    @property
    def pulses(self) -> int:
        """Pulses in a sweep."""
        return 1 if self.paired_pulse_ratio is None else 2

    def sites(self) -> ReleaseSites:
        """Return the synapse as the release sampler takes it."""
        ratio = 1.0 if self.paired_pulse_ratio is None else self.paired_pulse_ratio
        recovered = 1.0 - max(1.0 - ratio, 0.0) / self.p
        facilitation = max(ratio - 1.0, 0.0) * self.p / (1.0 - self.p)
        return ReleaseSites(
            n=int(self.n),
            p=self.p,
            q=self.q,
            cv_i=self.cv_within,
            cv_ii=self.cv_between,
            recovery_ms=_recovery_ms(recovered),
            facilitation=min(facilitation, 1.0),
            facilitation_ms=_NEVER_MS,
        )

    def beyond(self, priors: LocusPriors) -> list[str]:
        """Say what the judgement does not consider."""
        return _beyond((("n", self.n, 1, priors.max_sites), ("p", self.p, priors.min_p, priors.max_p))) + _beyond(
            (
                ("cv_within", self.cv_within, 0.0, priors.max_cv_within),
                ("cv_between", self.cv_between, 0.0, priors.max_cv_between),
            )
        )


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the mean response, and where it lives.

    Attributes
    ----------
    percent : float
        Of the baseline mean: 40 is LTP to 140 %, −30 is LTD to 70 %.
    locus : {"p", "n", "q"}
        Release probability, number of release sites, quantal amplitude.

    Examples
    --------
    >>> Change(percent=40, locus="p").after(Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1)).p.__round__(2)
    0.56
    """

    percent: float
    locus: Locus

    def __post_init__(self) -> None:
        if self.locus not in WHERE:
            raise SettingsError("this locus cannot be planned for", got=f"'{self.locus}'", wanted="p, n or q")
        if not -100.0 < self.percent <= 1000.0 or self.percent == 0.0:
            raise SettingsError(
                "this is no change to look for", got=f"{self.percent:g} %", wanted="above −100 to 1000 %, not 0"
            )

    @property
    def ratio(self) -> float:
        """Mean after over mean before."""
        return 1.0 + self.percent / 100.0

    @property
    def words(self) -> str:
        """Say it: "+40 % of release probability"."""
        return f"{self.percent:+g} % of {WHERE[self.locus]}".replace("-", "−")

    def after(self, synapse: Synapse) -> ReleaseSites:
        """Return the synapse after the change; recovery and facilitation stay.

        Raises
        ------
        SettingsError
            If p would exceed 1 or n would not be whole; with the changes that would fit.
        """
        sites = synapse.sites()
        value = getattr(sites, self.locus) * self.ratio
        if self.locus == "p" and value > 1.0:
            raise SettingsError(
                "no release probability exceeds 1",
                got=f"p {synapse.p:g} {self.percent:+g} % = {value:.3g}",
                wanted=f"at most {floor(100.0 * (1.0 / synapse.p - 1.0)):+d} % of p at this synapse",
                remedy="plan for a smaller change, a lower p or another locus",
            )
        if self.locus == "n":
            if abs(value - round(value)) > 1e-6 or round(value) < 1:
                raise _not_whole(int(synapse.n), value)
            value = round(value)
        return sites.with_changes(**{self.locus: value})

    def beyond(self, synapse: Synapse, priors: LocusPriors) -> list[str]:
        """Say what of the synapse after the change the judgement does not consider."""
        made = self.after(synapse)
        return _beyond(
            (
                ("n after the change", made.n, 1, priors.max_sites),
                ("p after the change", made.p, priors.min_p, priors.max_p),
            )
        )


def draw_cell(
    synapse: Synapse, change: Change | None, *, sweeps: tuple[int, int], rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Draw the amplitudes of one cell, release by release, with recording noise.

    Parameters
    ----------
    synapse : Synapse
        Before the change.
    change : Change or None
        None: nothing changes.
    sweeps : (int, int)
        Baseline and post sweeps.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    before, after : numpy.ndarray, shape (sweeps, pulses)
        In the unit of `synapse.q`.

    Examples
    --------
    >>> synapse = Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1)
    >>> before, after = draw_cell(synapse, None, sweeps=(60, 240), rng=np.random.default_rng(0))
    >>> before.shape, after.shape
    ((60, 1), (240, 1))
    """
    pulse_s = _INTERVAL_S * np.arange(synapse.pulses)
    drawn = []
    later = synapse.sites() if change is None else change.after(synapse)
    for sites, n_sweeps in zip((synapse.sites(), later), sweeps, strict=True):
        clean = sample_release(sites, pulse_s, n_sweeps=n_sweeps, rng=rng)
        drawn.append(clean + synapse.noise_sd * rng.standard_normal(clean.shape))
    return drawn[0], drawn[1]


def _recovery_ms(recovered: float) -> float:
    if recovered >= 1.0 - 1e-12:
        return _AT_ONCE_MS
    return -1e3 * _INTERVAL_S / log1p(-recovered) if recovered > 1e-9 else _NEVER_MS


def _not_whole(n: int, value: float) -> SettingsError:
    near = sorted({max(floor(value), 1), floor(value) + 1} - {n}) or [n + 1]
    fits = ", ".join(f"{100.0 * (each / n - 1.0):+.6g} % ({each} sites)" for each in near).replace("-", "−")
    return SettingsError("sites cannot be fractional", got=f"{n} sites become {value:.4g}", wanted=fits)


def _beyond(limits: tuple[tuple[str, float, float, float], ...]) -> list[str]:
    return [
        f"{name} is {value:.3g}, and the judgement considers {low:g} to {high:g}: it cannot be right about it"
        for name, value, low, high in limits
        if not low <= value <= high
    ]
