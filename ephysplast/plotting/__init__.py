"""Figures from results: each function draws a result into an Axes, or a whole page, and computes nothing.

matplotlib is loaded when a figure is drawn, always through its objects: no windows, no state, no global settings.
"""

from ephysplast.plotting._estimates import draw_estimates
from ephysplast.plotting._locus_panels import draw_amplitudes, draw_failures, draw_indices, draw_posterior
from ephysplast.plotting._potential_traces import draw_potential_traces
from ephysplast.plotting._step_traces import draw_step_traces
from ephysplast.plotting.comparison import comparison_figure, draw_condition_difference, draw_conditions
from ephysplast.plotting.course import draw_quality, draw_time_course
from ephysplast.plotting.excitability import (
    draw_fi_curve,
    draw_firing_probability,
    draw_ramp_currents,
    excitability_figure,
)
from ephysplast.plotting.experiment import experiment_figure
from ephysplast.plotting.fitting import draw_ranking, draw_residuals, draw_windows, windows_figure
from ephysplast.plotting.locus import draw_cv_plane, draw_paired_pulse
from ephysplast.plotting.locus_figure import locus_figure
from ephysplast.plotting.recording import draw_channel, recording_figure
from ephysplast.plotting.reversal import draw_current_split, draw_current_voltage, reversal_figure
from ephysplast.plotting.save import save_figure
from ephysplast.plotting.simulator import (
    draw_rule_spikes,
    draw_rule_states,
    draw_rule_window,
    draw_rule_window_map,
    rule_states_figure,
    rule_window_figure,
)
from ephysplast.plotting.style import plain
from ephysplast.plotting.traces import draw_traces
from ephysplast.plotting.words import draw_verdict

__all__ = [
    "comparison_figure",
    "draw_amplitudes",
    "draw_channel",
    "draw_condition_difference",
    "draw_conditions",
    "draw_current_split",
    "draw_current_voltage",
    "draw_cv_plane",
    "draw_estimates",
    "draw_failures",
    "draw_fi_curve",
    "draw_firing_probability",
    "draw_indices",
    "draw_paired_pulse",
    "draw_posterior",
    "draw_potential_traces",
    "draw_quality",
    "draw_ramp_currents",
    "draw_ranking",
    "draw_residuals",
    "draw_rule_spikes",
    "draw_rule_states",
    "draw_rule_window",
    "draw_rule_window_map",
    "draw_step_traces",
    "draw_time_course",
    "draw_traces",
    "draw_verdict",
    "draw_windows",
    "excitability_figure",
    "experiment_figure",
    "locus_figure",
    "plain",
    "recording_figure",
    "reversal_figure",
    "rule_states_figure",
    "rule_window_figure",
    "save_figure",
    "windows_figure",
]
