"""Figures from results: each function draws a result into an Axes, or a whole page, and computes nothing.

matplotlib is loaded when a figure is drawn, always through its objects: no windows, no state, no global settings.
"""

from ephysplast.plotting.course import draw_quality, draw_time_course
from ephysplast.plotting.experiment import experiment_figure
from ephysplast.plotting.locus import draw_cv_plane, draw_paired_pulse
from ephysplast.plotting.recording import draw_channel, recording_figure
from ephysplast.plotting.save import save_figure
from ephysplast.plotting.style import plain
from ephysplast.plotting.traces import draw_traces
from ephysplast.plotting.words import draw_verdict

__all__ = [
    "draw_channel",
    "draw_cv_plane",
    "draw_paired_pulse",
    "draw_quality",
    "draw_time_course",
    "draw_traces",
    "draw_verdict",
    "experiment_figure",
    "plain",
    "recording_figure",
    "save_figure",
]
