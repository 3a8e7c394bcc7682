"""What is believed of a synapse before its amplitudes are seen: stated, and settings."""

from dataclasses import dataclass

from ephysplast.errors import SettingsError, check_settings


@dataclass(frozen=True, kw_only=True)
class LocusPriors:
    """Prior of the locus posterior: broad, so that n, p and q are left to the data.

    Attributes
    ----------
    mass_p, mass_n, mass_q, mass_pq : float
        Prior probability of each locus; scaled to add to 1. The question is pre or post, so neither side is favoured:
        p and n share what q has. A mixed change is held unlikely (.05): with a flat prior almost no experiment with
        one pulse could ever be called.
    max_sites : int
        n is log-uniform over 1 … `max_sites`.
    n_change_sd : float
        The log of n after / n before is Gaussian with this SD. Changes of one size are then about as likely in n, p
        and q, and no locus is favoured for the width of its prior; wider than q's, for silent sites may wake together.
    min_p, max_p : float
        p is uniform between these, before and after alike.
    q_change_sd : float
        The log of q after / q before is Gaussian with this SD (0.7: a factor 2 either way is common). The level of q
        is log-uniform.
    max_cv_within, max_cv_between : float
        Quantal variability within and between sites, uniform from 0 to these.
    min_spread : float
        Smallest variability of quanta within a site, as a share of q: no two are alike.
    min_noise : float
        Smallest noise SD, as a share of the baseline mean: no reading is exact. It must not grow with q, or failures
        in little noise would speak for small quanta.
    outlier_fraction : float
        Share of sweeps (of later responses of a train, each) that may be anything; which ones is summed over. 0.002
        expects one in two experiments of 300.
    outlier_width : float
        Scale of the Cauchy density of such sweeps, in SDs of the amplitudes.
    drift_scale : float
        Linear drift over a phase, end to end, as a share of the baseline mean: none with probability .8, else this
        times e(1 + e²) to either side, e = |z| − 1.28 with z standard normal (1 in 50 drifts by 1.1 means or more).
    onset_probability : float
        That the change sets in gradually: a share G (uniform) of it is missing at the first sweep.
    max_onset_sweeps : float
        G decays with a time constant that is log-uniform from 10 sweeps to this.
    gain_sd : float
        SD of the log of how much the recording itself scales all quanta between the phases (series resistance, run-down
        of the cell), where their amplitude is held to be unchanged; 0.03.
    min_facilitation, max_facilitation : float
        Share of 1 − u that is added to u at the second pulse; log-uniform.
    facilitation_slack : float
        SD of the log of how much facilitation changes with p beyond φ ∝ p^γ, γ uniform from 0 (no change) to 1
        (classic Tsodyks–Markram): raised calcium changes residual calcium too.
    noise_sd_error : float
        SD of the log of the true noise over the measured one; 0 takes it as known.
    """

    mass_p: float = 0.2375
    mass_n: float = 0.2375
    mass_q: float = 0.475
    mass_pq: float = 0.05
    max_sites: int = 100
    n_change_sd: float = 1.0
    min_p: float = 0.005
    max_p: float = 0.95
    q_change_sd: float = 0.7
    max_cv_within: float = 0.6
    max_cv_between: float = 0.6
    min_spread: float = 0.05
    min_noise: float = 0.01
    outlier_fraction: float = 0.002
    outlier_width: float = 3.0
    drift_scale: float = 0.5
    onset_probability: float = 0.5
    max_onset_sweeps: float = 200.0
    gain_sd: float = 0.03
    min_facilitation: float = 0.003
    max_facilitation: float = 0.9
    facilitation_slack: float = 0.3
    noise_sd_error: float = 0.0

    def __post_init__(self) -> None:
        shares = dict.fromkeys(("mass_p", "mass_n", "mass_q", "mass_pq"), (0.0, 1.0))
        check_settings(
            self,
            **shares,
            max_sites=(1, 400),
            n_change_sd=(0.05, 5.0),
            min_p=(1e-4, 0.5),
            max_p=(0.5, 0.999),
            q_change_sd=(0.05, 5.0),
            max_cv_within=(0.01, 2.0),
            max_cv_between=(0.01, 2.0),
            min_spread=(0.01, 0.5),
            min_noise=(1e-4, 0.2),
            outlier_fraction=(1e-6, 0.2),
            outlier_width=(0.5, 100.0),
            drift_scale=(0.0, 10.0),
            onset_probability=(0.0, 1.0),
            max_onset_sweeps=(11.0, 1e5),
            gain_sd=(0.0, 0.5),
            min_facilitation=(1e-5, 0.5),
            max_facilitation=(0.01, 0.999),
            facilitation_slack=(0.01, 3.0),
            noise_sd_error=(0.0, 1.0),
        )
        if self.mass_p + self.mass_n + self.mass_q + self.mass_pq <= 0.0:
            raise SettingsError("no locus has prior mass", wanted="at least one of mass_p, mass_n, mass_q, mass_pq")
