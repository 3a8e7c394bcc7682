"""The timing windows that are fitted: how the change depends on Δt = t_post − t_pre, as plain records.

A window is a sum of basis functions of Δt, each times an amplitude. It is linear in the amplitudes, which are signed
changes as fractions of the baseline (+0.5 is a growth to 150 %), and not in the shape parameters. The amplitude of an
exponential is the change at Δt → 0 of its side.
"""

from math import log, sqrt
from typing import Final

from ephysplast.errors import EphysplastError, near_names
from ephysplast.fitting import _bases
from ephysplast.fitting._window import Parameter, Prior, Window

__all__ = ["NOISE", "WINDOWS", "Parameter", "Prior", "Window", "find_window"]

_TIMES: Final = (
    "lognormal, 95 % within 5–80 ms: published windows decay with 10–40 ms (Bi & Poo 2001, "
    "doi:10.1146/annurev.neuro.24.1.139; Froemke & Dan 2002, doi:10.1038/416433a), LTD also slower"
)
_CHANGES: Final = "half-normal or normal, SD 100 % of the baseline: most published changes lie within ± 100 %"
_OFFSETS: Final = "normal, SD 30 %: a change without timing is smaller than one with it"


def _time(name: str, symbol: str) -> Parameter:
    prior = Prior(kind="lognormal", centre=20.0, spread=0.7)
    return Parameter(name=name, symbol=symbol, unit="ms", role="shape", low=1.0, high=300.0, prior=prior, source=_TIMES)


def _ratio(name: str, symbol: str, *, low: float, high: float, centre: float, spread: float, source: str) -> Parameter:
    prior = Prior(kind="lognormal", centre=centre, spread=spread)
    return Parameter(name=name, symbol=symbol, unit="", role="shape", low=low, high=high, prior=prior, source=source)


def _amplitude(name: str, symbol: str, *, sign: int = 0) -> Parameter:
    low, high = {1: (0.0, 5.0), -1: (-5.0, 0.0), 0: (-5.0, 5.0)}[sign]
    prior = Prior(kind="normal", centre=0.0, spread=1.0)
    return Parameter(
        name=name, symbol=symbol, unit="", role="amplitude", low=low, high=high, prior=prior, source=_CHANGES
    )


def _offset(*, sign: int = 0) -> Parameter:
    low, high = {-1: (-2.0, 0.0), 0: (-2.0, 2.0)}[sign]
    prior = Prior(kind="normal", centre=0.0, spread=0.3)
    return Parameter(
        name="offset", symbol="b", unit="", role="offset", low=low, high=high, prior=prior, source=_OFFSETS
    )


NOISE: Final = Parameter(
    name="noise",
    symbol="σ",
    unit="",
    role="noise",
    low=0.005,
    high=3.0,
    prior=Prior(kind="normal", centre=0.0, spread=0.5),
    source="half-normal, SD 50 %: cells paired alike differ by 10–50 % of the baseline; never below 0.5 %",
)
"""Scatter of the cells about the window, beyond the errors that the table gives."""

WINDOWS: Final[tuple[Window, ...]] = (
    Window(
        name="hebbian",
        short="Hebbian",
        title="Hebbian: LTP when pre leads, LTD when post leads",
        formula="a₊ e^(−Δt/τ₊) for Δt > 0, a₋ e^(Δt/τ₋) for Δt < 0; a₊ ≥ 0 ≥ a₋",
        source="Bi & Poo 1998, doi:10.1523/JNEUROSCI.18-24-10464.1998",
        shape=(_time("tau_plus_ms", "τ₊"), _time("tau_minus_ms", "τ₋")),
        amplitudes=(_amplitude("amplitude_plus", "a₊", sign=1), _amplitude("amplitude_minus", "a₋", sign=-1)),
        basis=_bases.exponential_sides,
    ),
    Window(
        name="anti_hebbian",
        short="anti-Hebbian",
        title="anti-Hebbian: LTD when pre leads, LTP when post leads",
        formula="a₊ e^(−Δt/τ₊) for Δt > 0, a₋ e^(Δt/τ₋) for Δt < 0; a₊ ≤ 0 ≤ a₋",
        source="Bell et al. 1997, doi:10.1038/387278a0",
        shape=(_time("tau_plus_ms", "τ₊"), _time("tau_minus_ms", "τ₋")),
        amplitudes=(_amplitude("amplitude_plus", "a₊", sign=-1), _amplitude("amplitude_minus", "a₋", sign=1)),
        basis=_bases.exponential_sides,
    ),
    Window(
        name="asymmetric_free",
        short="asymmetric, free + b",
        title="asymmetric, free signs, with offset",
        formula="a₊ e^(−Δt/τ₊) for Δt > 0, a₋ e^(Δt/τ₋) for Δt < 0, + b",
        source="the general form of both, with a change that timing does not explain",
        shape=(_time("tau_plus_ms", "τ₊"), _time("tau_minus_ms", "τ₋")),
        amplitudes=(_amplitude("amplitude_plus", "a₊"), _amplitude("amplitude_minus", "a₋"), _offset()),
        basis=_bases.exponential_sides_offset,
    ),
    Window(
        name="symmetric",
        short="symmetric",
        title="symmetric exponential: LTP for either order",
        formula="a e^(−|Δt|/τ); a ≥ 0",
        source="D'amour & Froemke 2015, doi:10.1016/j.neuron.2015.03.014",
        shape=(_time("tau_ms", "τ"),),
        amplitudes=(_amplitude("amplitude", "a", sign=1),),
        basis=_bases.exponential,
        half_width_ratio=log(2.0),
    ),
    Window(
        name="symmetric_offset",
        short="symmetric − b",
        title="symmetric exponential with negative offset",
        formula="a e^(−|Δt|/τ) + b; a ≥ 0 ≥ b",
        source="Vogels et al. 2011, doi:10.1126/science.1211095",
        shape=(_time("tau_ms", "τ"),),
        amplitudes=(_amplitude("amplitude", "a", sign=1), _offset(sign=-1)),
        basis=_bases.exponential_offset,
        half_width_ratio=log(2.0),
    ),
    Window(
        name="gaussian",
        short="Gaussian",
        title="Gaussian",
        formula="a e^(−Δt²/2w²)",
        source="a symmetric window without a cusp",
        shape=(_time("width_ms", "w"),),
        amplitudes=(_amplitude("amplitude", "a"),),
        basis=_bases.gaussian,
        half_width_ratio=sqrt(2.0 * log(2.0)),
    ),
    Window(
        name="gaussian_offset",
        short="Gaussian − b",
        title="Gaussian with negative offset",
        formula="a e^(−Δt²/2w²) + b; a ≥ 0 ≥ b",
        source="the shape of Woodin et al. 2003, doi:10.1016/S0896-6273(03)00507-5",
        shape=(_time("width_ms", "w"),),
        amplitudes=(_amplitude("amplitude", "a", sign=1), _offset(sign=-1)),
        basis=_bases.gaussian_offset,
        half_width_ratio=sqrt(2.0 * log(2.0)),
    ),
    Window(
        name="difference_of_gaussians",
        short="two Gaussians + b",
        title="difference of Gaussians with offset",
        formula="a₁ e^(−Δt²/2w²) + a₂ e^(−Δt²/2(ρw)²) + b",
        source="a centre with a surround of its own; no published window is claimed to have this shape",
        shape=(
            _time("width_ms", "w"),
            _ratio("width_ratio", "ρ", low=1.5, high=10.0, centre=3.0, spread=0.5, source="surround wider than centre"),
        ),
        amplitudes=(_amplitude("amplitude_centre", "a₁"), _amplitude("amplitude_surround", "a₂"), _offset()),
        basis=_bases.two_gaussians_offset,
    ),
    Window(
        name="delayed",
        short="delayed",
        title="delayed Hebbian: none at Δt = 0, largest at ± t",
        formula="a± (|Δt|/t)^β e^(β(1−|Δt|/t)); a₊ ≥ 0 ≥ a₋",
        source="Haas, Nowotny & Abarbanel 2006, doi:10.1152/jn.00551.2006",
        shape=(
            _time("peak_ms", "t"),
            _ratio(
                "steepness",
                "β",
                low=0.5,
                high=20.0,
                centre=4.0,
                spread=0.8,
                source="lognormal, 95 % within 0.8–19: 10 was published, 5 has been used",
            ),
        ),
        amplitudes=(_amplitude("amplitude_plus", "a₊", sign=1), _amplitude("amplitude_minus", "a₋", sign=-1)),
        basis=_bases.delayed,
    ),
    Window(
        name="ltd_only",
        short="LTD only",
        title="LTD only, for either order",
        formula="a e^(−|Δt|/τ); a ≤ 0",
        source="Egger, Feldmeyer & Sakmann 1999, doi:10.1038/16026; Lu et al. 2007, J Neurosci 27:9711",
        shape=(_time("tau_ms", "τ"),),
        amplitudes=(_amplitude("amplitude", "a", sign=-1),),
        basis=_bases.exponential,
        half_width_ratio=log(2.0),
    ),
    Window(
        name="pre_first",
        short="pre first only",
        title="one-sided: only when pre leads",
        formula="a e^(−Δt/τ) for Δt > 0, else 0",
        source="Udakis et al. 2020, doi:10.1038/s41467-020-18074-8",
        shape=(_time("tau_ms", "τ"),),
        amplitudes=(_amplitude("amplitude", "a"),),
        basis=_bases.after,
    ),
    Window(
        name="post_first",
        short="post first only",
        title="one-sided: only when post leads",
        formula="a e^(Δt/τ) for Δt < 0, else 0",
        source="the mirror image of pre_first",
        shape=(_time("tau_ms", "τ"),),
        amplitudes=(_amplitude("amplitude", "a"),),
        basis=_bases.before,
    ),
    Window(
        name="square",
        short="square",
        title="square: coincidence within a width",
        formula="a for |Δt| ≤ w, else 0",
        source="Woodin et al. 2003, doi:10.1016/S0896-6273(03)00507-5, as a rule of coincidence",
        shape=(_time("width_ms", "w"),),
        amplitudes=(_amplitude("amplitude", "a"),),
        basis=_bases.square,
        half_width_ratio=1.0,
    ),
    Window(
        name="constant",
        short="constant",
        title="a change that does not depend on Δt",
        formula="b",
        source="what pairing does whatever its timing",
        shape=(),
        amplitudes=(_offset(),),
        basis=_bases.constant,
    ),
    Window(
        name="none",
        short="none",
        title="no change at any Δt",
        formula="0",
        source="the null hypothesis",
        shape=(),
        amplitudes=(),
        basis=_bases.nothing,
    ),
)
"""Every timing window that is fitted unless others are asked for."""


def find_window(name: str, *, windows: "tuple[Window, ...] | None" = None) -> Window:
    """Return a window by its name.

    Raises
    ------
    EphysplastError
        If there is none of that name; near ones are offered.

    Examples
    --------
    >>> find_window("square").formula
    'a for |Δt| ≤ w, else 0'
    """
    known = {each.name: each for each in (WINDOWS if windows is None else windows)}
    if name not in known:
        raise EphysplastError("no such timing window", got=f"'{name}'", remedy=near_names(name, known))
    return known[name]
