"""Timing windows fitted to tables of measured changes: Δt = t_post − t_pre against change.

The way: ``read_observations → rank_windows → WindowRanking``; two conditions go to ``compare_conditions``.
"""

from ephysplast.fitting.check import PredictiveCheck, predictive_check
from ephysplast.fitting.compare import WindowComparison, compare_conditions, window_for_both
from ephysplast.fitting.evidence import LeaveOneOut, aicc, leave_one_out, sample_posterior
from ephysplast.fitting.fit import WindowFit, fit_window
from ephysplast.fitting.identifiability import Identified, identify, points_needed
from ephysplast.fitting.likelihood import FitConfig, WindowModel
from ephysplast.fitting.observations import Observations, make_observations, pooled
from ephysplast.fitting.point_fit import PointFit, maximise, profile_interval
from ephysplast.fitting.rank import STRONG, WindowRanking, rank_windows
from ephysplast.fitting.read import read_observations
from ephysplast.fitting.smc import Tempered, temper
from ephysplast.fitting.windows import NOISE, WINDOWS, Parameter, Prior, Window, find_window

__all__ = [
    "NOISE",
    "STRONG",
    "WINDOWS",
    "FitConfig",
    "Identified",
    "LeaveOneOut",
    "Observations",
    "Parameter",
    "PointFit",
    "PredictiveCheck",
    "Prior",
    "Tempered",
    "Window",
    "WindowComparison",
    "WindowFit",
    "WindowModel",
    "WindowRanking",
    "aicc",
    "compare_conditions",
    "find_window",
    "fit_window",
    "identify",
    "leave_one_out",
    "make_observations",
    "maximise",
    "points_needed",
    "pooled",
    "predictive_check",
    "profile_interval",
    "rank_windows",
    "read_observations",
    "sample_posterior",
    "temper",
    "window_for_both",
]
