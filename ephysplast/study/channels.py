"""Which channel of a file is the one that the manifest means."""

from ephysplast.errors import ChannelError
from ephysplast.experiment import CELL_KINDS, CLAMPS_OF, ResponseKind, Segment
from ephysplast.recording import Channel, Clamp, Recording


def channel_of(recording: Recording, segment: Segment, response: ResponseKind) -> Channel:
    """Return the channel that holds the response: the one named, or the only one whose unit fits."""
    clamps = CLAMPS_OF[response]
    channel = recording.channel(segment.channel) if segment.channel else _only(recording, segment, response)
    if segment.unit or segment.clamp or segment.scale != 1.0:
        channel = channel.corrected(unit=segment.unit, clamp=segment.clamp, scale=segment.scale)
    return channel.require(*clamps)


def _only(recording: Recording, segment: Segment, response: ResponseKind) -> Channel:
    units = {_unit(clamp) for clamp in CLAMPS_OF[response]}
    pre = recording.channel(segment.pre_channel).name if segment.pre_channel else ""
    fitting = [each for each in recording.channels if each.name != pre and (segment.unit or each.unit in units)]
    if response in CELL_KINDS and len(fitting) > 1:  # the other signal is most often a copy of the command
        driven = [each for each in fitting if each.command is not None]
        fitting = driven if len(driven) == 1 else fitting
    if len(fitting) != 1:
        there = ", ".join(f"'{each.name}' [{each.unit}]" for each in recording.channels)
        raise ChannelError(
            f"which channel of {segment.path.name} holds the {response} is not clear",
            got=there,
            wanted=f"one channel in {' or '.join(sorted(units))}",
            remedy="name it in the manifest's column channel",
        )
    return fitting[0]


def _unit(clamp: Clamp) -> str:
    return "pA" if clamp == "voltage" else "mV"
