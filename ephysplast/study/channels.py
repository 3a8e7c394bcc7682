"""Which channel of a file is the one that the manifest means."""

from typing import Final

from ephysplast.errors import ChannelError
from ephysplast.experiment import CELL_KINDS, CLAMPS_OF, RESPONSE_KINDS, ResponseKind, Segment
from ephysplast.io.plausibility import doubt_about
from ephysplast.recording import Channel, Clamp, Recording

_JUDGED_S: Final = 1.0


def channel_of(recording: Recording, segment: Segment, response: ResponseKind) -> Channel:
    """Return the channel that holds the response: the one named, or the only one whose unit fits.

    Raises
    ------
    ChannelError
        If none fits or several do, if its unit or clamp is in doubt, or if what the manifest makes of it cannot be
        true of a cell.
    """
    clamps = CLAMPS_OF[response]
    channel = recording.channel(segment.channel) if segment.channel else _only(recording, segment, response)
    if segment.unit or segment.clamp or segment.scale != 1.0:
        channel = _corrected(channel, segment)
    return channel.require(*clamps)


def _corrected(channel: Channel, segment: Segment) -> Channel:
    """Take the channel for what the manifest says, unless no cell can have its values then."""
    made = channel.corrected(unit=segment.unit, clamp=segment.clamp, scale=segment.scale)
    stop_s = min(int(made.trace.lengths[0]) / made.trace.rate_hz, _JUDGED_S)
    few = made.trace.window(0.0, stop_s, [0])
    doubt = doubt_about(name=made.name, unit=made.unit, clamp="unknown", samples=few)
    if doubt:
        said = ", ".join(
            f"{name} {value}"
            for name, value in (
                ("unit", segment.unit),
                ("scale", f"{segment.scale:g}" if segment.scale != 1.0 else ""),
                ("clamp", segment.clamp),
            )
            if value
        )
        raise ChannelError(
            f"with the manifest's {said}, {doubt}",
            remedy=channel.doubt or "correct the manifest's columns unit and scale",
        )
    return made


def _only(recording: Recording, segment: Segment, response: ResponseKind) -> Channel:
    units = {_unit(clamp) for clamp in CLAMPS_OF[response]}
    pre = recording.channel(segment.pre_channel).name if segment.pre_channel else ""
    fitting = [each for each in recording.channels if each.name != pre and (segment.unit or each.unit in units)]
    if response in CELL_KINDS and len(fitting) > 1:  # the other signal is most often a copy of the command
        fitting = _fewer(fitting, [each for each in fitting if each.clamp in CLAMPS_OF[response]])
        fitting = _fewer(fitting, [each for each in fitting if each.command is not None])
    if not fitting:
        _none_fits(recording, segment, response)
    if len(fitting) != 1:
        raise ChannelError(
            f"which channel of {segment.path.name} is meant for {response} is not clear",
            got=_listed(recording),
            wanted=f"one channel in {' or '.join(sorted(units))}",
            remedy="name it in the manifest's column channel",
        )
    return fitting[0]


def _fewer(fitting: list[Channel], likelier: list[Channel]) -> list[Channel]:
    return likelier or fitting


def _none_fits(recording: Recording, segment: Segment, response: ResponseKind) -> None:
    """Say that the file is of another clamp, or that it doubts its own units."""
    for channel in recording.channels:
        if channel.doubt:
            channel.require()
    clamps = CLAMPS_OF[response]
    wanted = " or ".join(dict.fromkeys(f"{_unit(each)} ({_worded(each)})" for each in clamps))
    there = {each.clamp for each in recording.channels}
    others = [kind for kind in RESPONSE_KINDS if there & set(CLAMPS_OF[kind]) and kind != response]
    raise ChannelError(
        f"{segment.path.name} holds no channel for {response}",
        got=_listed(recording),
        wanted=f"a channel in {wanted}",
        remedy=f"check the columns file and response ({', '.join(others)} would fit its clamp)"
        if others
        else "check the column file, or say what it holds with the columns unit, clamp and scale",
    )


def _listed(recording: Recording) -> str:
    return ", ".join(f"'{each.name}' [{each.unit or '?'}, {_worded(each.clamp)}]" for each in recording.channels)


def _worded(clamp: Clamp) -> str:
    return {"field": "field", "unknown": "no clamp"}.get(clamp, f"{clamp} clamp")


def _unit(clamp: Clamp) -> str:
    return "pA" if clamp == "voltage" else "mV"
