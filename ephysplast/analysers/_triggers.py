"""Where stimulus times can be read: the manifest, commands, digital lines, markers, spikes, artefacts."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ephysplast.analysers._artefacts import READ_AT_ONCE, artefact_times
from ephysplast.errors import ManifestError, WindowError, near_names
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Trace
from ephysplast.signal import SpikeCriteria, spikes_in_rows

_TRAIN_SWEEPS = 6
_LONGEST_TRAIN_S = 0.5
_COINCIDENT_S = 1e-3
_MARKER_NAME = re.compile(r"stim|trig|ttl|mark|laser|led|light", re.IGNORECASE)
_DRIVES = {("current", "pA"), ("voltage", "mV")}  # clamp of the electrode, unit of a command that moves it
_NONE_FOUND = "no digital output, command pulse or marker, and no artefact that many sweeps share"


@dataclass(frozen=True, eq=False, kw_only=True)
class Triggers:
    """Times in s from the start of each sweep, ``[sweep, pulse]`` with NaN for none, and where they were read."""

    times_s: FloatArray
    method: str
    are_spikes: bool = False

    @property
    def any(self) -> bool:
        """Whether any sweep has one."""
        return bool(np.isfinite(self.times_s).any())


def padded(times: Sequence[FloatArray]) -> FloatArray:
    """Return rows of different lengths as one array, NaN at their ends.

    Examples
    --------
    >>> padded([np.array([0.1, 0.2]), np.array([])]).tolist()
    [[0.1, 0.2], [nan, nan]]
    """
    rows = np.full((len(times), max((len(each) for each in times), default=0)), np.nan)
    for row, each in zip(rows, times, strict=True):
        row[: len(each)] = each
    return rows


def trusted_triggers(
    recording: Recording,
    channel: Channel,
    pre: Channel | None,
    sweeps: IntArray,
    *,
    longest_s: float,
    spikes: SpikeCriteria,
    artefact_noise: float,
) -> Triggers:
    """Return the most trusted triggers there are."""
    lines = list(_digital(recording, sweeps))
    commands = list(_commands(recording, channel, sweeps, longest_s))
    markers = list(_markers(recording, channel, pre, sweeps, longest_s))
    of_pre = [each for each in commands if pre is not None and each.method == f"command of {pre.name}"]
    # What was recorded of the stimulus itself is nearer to it than the line that asked for it.
    found = [*of_pre, *markers, *lines, *commands]
    if found:
        others = [each.method for each in found[1:] if each.method != found[0].method]
        started = None if of_pre else _train_started_by(found[0], lines, channel, sweeps, artefact_noise)
        return started or _with_others(found[0], others)
    if pre is not None and pre.clamp == "current":
        fired = presynaptic_spikes(pre, sweeps, spikes)
        if fired.any:
            return fired
    return _artefacts(channel, sweeps, artefact_noise)


def _artefacts(channel: Channel, sweeps: IntArray, noise: float) -> Triggers:
    times = artefact_times(channel, sweeps, noise=noise) if len(sweeps) else np.empty((0, 0))
    if not times.shape[1]:
        return _nothing(sweeps, f"{_NONE_FOUND} in {channel.name}")
    return Triggers(times_s=times, method=f"artefacts in {channel.name}")


def _train_started_by(
    trigger: Triggers, lines: Sequence[Triggers], channel: Channel, sweeps: IntArray, noise: float
) -> Triggers | None:
    """Return the artefacts when one trigger per sweep starts a stimulator's train of them, else None."""
    at = trigger.times_s
    if at.shape[1] != 1 or not trigger.any:
        return None
    # The same in every sweep, so that a part of a few sweeps tells.
    start_s = float(np.nanmedian(at))
    if np.nanmax(np.abs(at - start_s)) > _COINCIDENT_S:
        return None
    times = artefact_times(
        channel,
        sweeps,
        noise=noise,
        start_s=start_s - 5e-3,
        stop_s=start_s + _LONGEST_TRAIN_S,
        n_sweeps=_TRAIN_SWEEPS,
    )
    usual = np.array([np.median(each[np.isfinite(each)]) for each in times.T if np.isfinite(each).any()])
    others = [each.times_s[np.abs(each.times_s - start_s) > _COINCIDENT_S] for each in lines if each is not trigger]
    if any((np.abs(each[:, None] - usual) < _COINCIDENT_S).any() for each in others):
        return None
    if len(usual) < 2 or abs(usual[0] - start_s) > _COINCIDENT_S:
        return None
    return Triggers(times_s=times, method=f"artefacts in {channel.name}, a train started by {trigger.method}")


def named_triggers(
    recording: Recording,
    channel: Channel,
    pre: Channel | None,
    sweeps: IntArray,
    *,
    wanted: str,
    longest_s: float,
    artefact_noise: float,
) -> Triggers:
    """Return the triggers of the source that the experimenter named."""
    name = wanted.strip()
    if name.lower() in ("artefact", "artefacts", "artifact"):
        return _artefacts(channel, sweeps, artefact_noise)
    if name.lower() == "command":
        found = list(_commands(recording, channel, sweeps, longest_s))
        found.sort(key=lambda each: pre is None or each.method != f"command of {pre.name}")
        return (
            _with_others(found[0], [each.method for each in found[1:]])
            if found
            else _nothing(sweeps, "no short pulse in any command but the recorded channel's own")
        )
    lines = {each.name.lower(): each for each in recording.digital_outputs}
    if name.lower() in lines:
        line = lines[name.lower()]
        return Triggers(times_s=padded([line.onsets_s[sweep] for sweep in sweeps]), method=line.name)
    named = next((each for each in recording.channels if each.name == name), None)
    if named is not None:
        return _of_channel(named, channel, sweeps, longest_s)
    if re.match(r"^[+-]?[\d.,]", name):
        return _given(name, recording, sweeps)
    known = ["auto", "artefact", "command", *(each.name for each in recording.digital_outputs)]
    known += [each.name for each in recording.channels if each.name != channel.name]
    raise ManifestError(
        f"{recording.source.path.name} has no stimulus '{wanted}'",
        wanted=f"{', '.join(known)}, or times in s such as 0.1; 0.15",
        remedy=near_names(name, known),
    )


def presynaptic_spikes(pre: Channel, sweeps: IntArray, criteria: SpikeCriteria) -> Triggers:
    """Return the spikes of the presynaptic cell, whole sweeps searched."""
    times = [np.array([], dtype=np.float64) for _ in sweeps]
    for block, rows in whole_sweeps(pre.trace, sweeps):
        which, at = spikes_in_rows(rows, pre.trace.rate_hz, criteria=criteria)
        for i, place in enumerate(block):
            times[place] = at[which == i]
    return Triggers(times_s=padded(times), method=f"presynaptic spikes of {pre.name}", are_spikes=True)


def _with_others(best: Triggers, others: list[str]) -> Triggers:
    if not others:
        return best
    return Triggers(times_s=best.times_s, method=f"{best.method} (there is also: {', '.join(dict.fromkeys(others))})")


def _nothing(sweeps: IntArray, where: str) -> Triggers:
    return Triggers(times_s=np.empty((len(sweeps), 0)), method=f"none: {where}")


def _given(text: str, recording: Recording, sweeps: IntArray) -> Triggers:
    times = np.array(_times(text), dtype=np.float64)
    shortest_s = float(recording.sweep_lengths[sweeps].min(initial=np.iinfo(np.int64).max)) / recording.rate_hz
    if (np.diff(times) <= 0).any():
        raise ManifestError("the stimulus times are not in order", got=f"'{text}'", wanted="ascending times in s")
    if times.min() < 0 or times.max() >= shortest_s:
        raise WindowError(
            "a stimulus lies outside the sweeps",
            got=f"'{text}'",
            wanted=f"times from 0 to less than {shortest_s:.6g} s, counted from the start of each sweep",
            remedy="give them in s, or write the unit: 100 ms",
        )
    return Triggers(times_s=np.tile(times, (len(sweeps), 1)), method="manifest")


def _times(text: str) -> list[float]:
    """Read ``0.1; 0.15``, with a decimal comma or in ms if they must be."""
    if ";" in text:
        parts = [part.replace(",", ".") for part in text.split(";")]
    elif re.fullmatch(r"\s*\d+,\d+\s*(m?s)?\s*", text):
        parts = [text.replace(",", ".")]
    else:
        parts = re.split(r",\s*|\s+(?=[\d.])", text)
    values = []
    for part in (each.strip() for each in parts if each.strip()):
        match = re.fullmatch(r"(\d*\.?\d+(?:[eE]-?\d+)?|\d+\.)\s*(ms|s)?", part)
        if match is None or (text.count(",") > 1 and ";" not in text and "." not in text and ", " not in text):
            raise ManifestError("the stimulus times cannot be read", got=f"'{text}'", wanted="for example 0.1; 0.15")
        values.append(float(match[1]) * (1e-3 if match[2] == "ms" else 1.0))
    return values


def _digital(recording: Recording, sweeps: IntArray) -> Iterator[Triggers]:
    for line in recording.digital_outputs:
        times = [line.onsets_s[sweep] for sweep in sweeps]
        # A line that goes high with the sweep itself starts a camera or another computer.
        if any((each > 1.0 / recording.rate_hz).any() for each in times):
            yield Triggers(times_s=padded(times), method=line.name)


def _commands(recording: Recording, channel: Channel, sweeps: IntArray, longest_s: float) -> Iterator[Triggers]:
    for each in recording.channels:
        if each.command is None or (_is_own(each, channel) and (each.clamp, each.command_unit) in _DRIVES):
            continue
        found = Triggers(times_s=_pulses_of(each.command, sweeps, longest_s), method=f"command of {each.name}")
        if found.any:
            yield found


def _is_own(each: Channel, channel: Channel) -> bool:
    same_electrode = bool(channel.electrode) and each.electrode == channel.electrode
    return each.name == channel.name or same_electrode or each.command is channel.command


def _markers(
    recording: Recording, channel: Channel, pre: Channel | None, sweeps: IntArray, longest_s: float
) -> Iterator[Triggers]:
    taken = {channel.name} | ({pre.name} if pre is not None else set())
    for each in recording.channels:
        if each.name not in taken and (each.unit == "V" or _MARKER_NAME.search(each.name)):
            found = Triggers(times_s=_high_periods(each.trace, sweeps, longest_s), method=f"marker {each.name}")
            if found.any:
                yield found


def _of_channel(named: Channel, channel: Channel, sweeps: IntArray, longest_s: float) -> Triggers:
    if named.command is not None and named.name != channel.name:
        found = Triggers(times_s=_pulses_of(named.command, sweeps, longest_s), method=f"command of {named.name}")
        if found.any:
            return found
    return Triggers(times_s=_high_periods(named.trace, sweeps, longest_s), method=f"marker {named.name}")


def _pulses_of(command: Trace, sweeps: IntArray, longest_s: float) -> FloatArray:
    asked = sweeps[:1] if command.same_every_sweep else sweeps
    found = padded([command_pulses(command.sweep(int(sweep)), command.rate_hz, longest_s) for sweep in asked])
    return np.tile(found, (len(sweeps), 1)) if command.same_every_sweep else found


def command_pulses(command: FloatArray, rate_hz: float, longest_s: float) -> FloatArray:
    """Return the onsets of upward pulses: the command rises and is back within `longest_s`.

    Parameters
    ----------
    command : numpy.ndarray, shape (n_samples,)
        Any unit.
    rate_hz, longest_s : float
        Sampling rate, and the longest that counts as a pulse.

    Returns
    -------
    numpy.ndarray, shape (n_pulses,)
        In s. A long step is passed over, and so is a ramp; a pulse on top of a step is found.

    Examples
    --------
    >>> command = np.zeros(1000)
    >>> command[100:110], command[300:900], command[500:505] = 5.0, 1.0, 3.0
    >>> command_pulses(command, 1e3, 0.02).tolist()
    [0.1, 0.5]
    """
    change = np.diff(command)
    edges = np.flatnonzero(np.abs(change) > 0.05 * np.ptp(command)) if np.ptp(command) > 0 else np.array([], dtype=int)
    onsets, i = [], 0
    while i < len(edges):
        last = int(np.searchsorted(edges, edges[i] + longest_s * rate_hz, side="right"))
        since = np.cumsum(change[edges[i:last]])
        back = np.flatnonzero(np.abs(since[1:]) <= 0.1 * np.abs(since).max())
        if change[edges[i]] > 0 and back.size:
            onsets.append((edges[i] + 1) / rate_hz)
            i += int(back[0]) + 2
        else:
            i += 1
    return np.array(onsets, dtype=np.float64)


def whole_sweeps(trace: Trace, sweeps: IntArray) -> Iterator[tuple[IntArray, FloatArray]]:
    """Walk through whole sweeps, equally long ones together, a bounded number of samples at a time."""
    for length in np.unique(trace.lengths[sweeps]):
        places = np.flatnonzero(trace.lengths[sweeps] == length)
        size = max(READ_AT_ONCE // max(int(length), 1), 1)
        for start in range(0, len(places) if length else 0, size):
            block = places[start : start + size]
            yield block.astype(np.int64), trace.window(0.0, length / trace.rate_hz, sweeps[block])


def _high_periods(trace: Trace, sweeps: IntArray, longest_s: float) -> FloatArray:
    """Return when a marker goes high: above the middle of its range, for a short time, ten times its noise."""
    times = [np.array([], dtype=np.float64) for _ in sweeps]
    for block, rows in whole_sweeps(trace, sweeps):
        base = np.median(rows, axis=1, keepdims=True)
        top = rows.max(axis=1, keepdims=True)
        clear = (top - base)[:, 0] > np.maximum(10.0 * np.median(np.abs(rows - base), axis=1), 1e-9)
        high = np.pad(rows > 0.5 * (base + top), ((0, 0), (1, 1)))
        for i in np.flatnonzero(clear):
            on = np.flatnonzero(high[i, 1:] & ~high[i, :-1])
            off = np.flatnonzero(~high[i, 1:] & high[i, :-1])
            times[block[i]] = on[(off - on) <= longest_s * trace.rate_hz] / trace.rate_hz
    return padded(times)
