"""Recordings in memory, and ABF files put together field by field from the format's published layout."""

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from ephysplast.recording import ArrayTrace, Channel, Recording, Source

_ABF1_FIELDS: Mapping[str, tuple[int, str]] = {
    "version": (4, "f"),
    "mode": (8, "h"),
    "n_samples": (10, "i"),
    "n_episodes": (16, "i"),
    "date": (20, "i"),
    "time_s": (24, "i"),
    "data_block": (40, "i"),
    "tag_block": (44, "i"),
    "n_tags": (48, "i"),
    "synch_block": (92, "i"),
    "n_synch": (96, "i"),
    "format": (100, "h"),
    "n_channels": (120, "h"),
    "sample_us": (122, "f"),
    "second_sample_us": (126, "f"),
    "synch_us": (130, "f"),
    "interval_s": (178, "f"),
    "clock_change": (194, "i"),
    "range_v": (244, "f"),
    "resolution": (252, "i"),
    "sampled": (410, "16h"),
    "program_gain": (730, "16f"),
    "scale": (922, "16f"),
    "offset": (986, "16f"),
    "signal_gain": (1050, "16f"),
    "holding": (1394, "4f"),
    "digital_enable": (1436, "h"),
    "active_output": (1440, "h"),
    "digital": (1588, "10h"),
    "period": (2136, "20i"),
    "width": (2216, "20i"),
    "enable": (2296, "2h"),
    "source": (2300, "2h"),
    "stays": (2304, "2h"),
    "kind": (2308, "20h"),
    "level": (2348, "20f"),
    "delta_level": (2428, "20f"),
    "duration": (2508, "20i"),
    "delta_duration": (2588, "20i"),
    "digital_train": (2668, "10h"),
    "listed": (3360, "4h"),
    "listed_parameter": (3368, "4h"),
    "listed_repeat": (4400, "4h"),
    "telegraph": (4512, "16h"),
    "telegraph_gain": (4576, "16f"),
    "alternate": (5876, "h"),
}
_TEXTS = {"name": (442, 10), "unit": (602, 8), "output_unit": (1346, 8)}


def _abf1(
    path: Path,
    samples: np.ndarray,
    *,
    names: Sequence[str] = ("IN 0",),
    units: Sequence[str] = ("pA",),
    output_units: Sequence[str] = ("mV", "mV", "mV", "mV"),
    synch: Sequence[tuple[int, int]] = (),
    tags: Sequence[tuple[int, bytes]] = (),
    header_blocks: int = 12,
    user_list: bytes = b"",
    **fields: object,
) -> Path:
    """Write multiplexed `samples` (int16 or float32), with one header field after the other."""
    defaults: dict[str, object] = {
        "version": 1.83,
        "mode": 5,
        "n_samples": samples.size,
        "n_episodes": max(len(synch), 1),
        "date": 20240531,
        "format": int(samples.dtype.kind == "f"),
        "n_channels": len(names),
        "sample_us": 50.0,
        "range_v": 10.0,
        "resolution": 32768,
        "sampled": [*range(len(names)), *([-1] * (16 - len(names)))],
        "program_gain": [1.0] * 16,
        "scale": [1.0] * 16,
        "signal_gain": [1.0] * 16,
    }
    data = samples.tobytes() + bytes(-samples.nbytes % 512)
    tail = header_blocks + len(data) // 512
    body = b"".join(struct.pack("<ii", *entry) for entry in synch)
    body += bytes(-len(body) % 512)
    places = {"data_block": header_blocks, "synch_block": tail, "n_synch": len(synch)}
    places |= {"tag_block": tail + len(body) // 512, "n_tags": len(tags)}
    body += b"".join(struct.pack("<i56shh", at, comment, 1, 0) for at, comment in tags)
    header = bytearray(header_blocks * 512)
    header[:4] = b"ABF "
    for field, value in (defaults | places | fields).items():
        at, layout = _ABF1_FIELDS[field]
        values = value if isinstance(value, Sequence) else [value]
        n_values = int(layout[:-1] or 1)
        if at + struct.calcsize(f"<{layout}") <= len(header):
            struct.pack_into(f"<{layout}", header, at, *values, *([0] * (n_values - len(values))))
    for what, texts in (("name", names), ("unit", units), ("output_unit", output_units)):
        at, length = _TEXTS[what]
        for i, text in enumerate(texts):
            header[at + i * length : at + (i + 1) * length] = text.encode("cp1252").ljust(length)
    if user_list:
        header[3376 : 3376 + len(user_list)] = user_list
    path.write_bytes(bytes(header) + data + body)
    return path


def _in_memory(
    *samples: np.ndarray | Sequence[np.ndarray],
    rate_hz: float = 10_000.0,
    names: Sequence[str] = (),
    units: Sequence[str] = (),
    command_units: Sequence[str] = (),
    starts_s: Sequence[float] = (),
    **fields: object,
) -> Recording:
    """Make a recording of arrays: one ``[sweep, sample]`` per channel."""
    channels = []
    for i, values in enumerate(samples):
        unit = units[i] if units else "pA"
        trace = ArrayTrace(values, rate_hz)
        clamp = {"pA": "voltage", "mV": "current"}.get(unit, "unknown")
        name = names[i] if names else f"IN {i}"
        command_unit = command_units[i] if command_units else {"pA": "mV", "mV": "pA"}.get(unit, "")
        channels.append(Channel(name=name, unit=unit, clamp=clamp, trace=trace, command_unit=command_unit))
    lengths = channels[0].trace.lengths
    starts = np.asarray(starts_s if len(starts_s) else np.arange(len(lengths)) * 10.0, dtype=np.float64)
    return Recording(
        channels=tuple(channels),
        rate_hz=rate_hz,
        sweep_start_s=starts,
        sweep_lengths=lengths,
        source=Source(path=Path("memory"), format="memory", reader="tests"),
        **fields,
    )


def _patched(path: Path, section: int, *, at: int, layout: str, values: Sequence[float], entry: int = 0) -> Path:
    """Change numbers of an ABF2 file: in the section whose place the header has at `section`."""
    raw = bytearray(path.read_bytes())
    block, entry_bytes, _ = struct.unpack_from("<IIq", raw, section)
    struct.pack_into(f"<{layout}", raw, block * 512 + entry * entry_bytes + at, *values)
    path.write_bytes(raw)
    return path


@pytest.fixture(scope="session")
def make_abf1():
    return _abf1


@pytest.fixture(scope="session")
def make_recording():
    return _in_memory


@pytest.fixture(scope="session")
def patch_abf2():
    return _patched
