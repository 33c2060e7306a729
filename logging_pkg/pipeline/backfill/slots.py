"""When the ruler evaluates a group: once per interval, at a phase of the group's own.

In: a group's file, name and interval; timestamps of its samples. Out: the phase, and where it is known from. Never: a
phase that samples contradict.

Prometheus's rule manager, which is Loki's as well, evaluates a group at multiples of its interval plus a phase: the
hash of the file's path and the group's name, modulo the interval, in nanoseconds (rules/group.go, EvalTimestamp). A
sample's time is that moment cut to milliseconds. Samples tell those; where the hash agrees, it adds the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

MS: Final = 1_000_000
_MASK: Final = (1 << 64) - 1
_P1, _P2, _P3 = 11400714785074694791, 14029467366897019727, 1609587929392839161
_P4, _P5 = 9650029242287828579, 2870177450012600261

Source = Literal["samples", "hash", "assumed"]


@dataclass(frozen=True, slots=True)
class Phase:
    """How long after a multiple of the interval a group is evaluated.

    Attributes:
        ns: nanoseconds, below the interval.
        source: `samples` that are there; the `hash` of path and name; or `assumed` to be 0, where neither is known.
        is_exact: False where only the milliseconds are known.
    """

    ns: int
    source: Source
    is_exact: bool


def phase_of(candidates: Sequence[int], timestamps_ms: Iterable[int], interval_ns: int) -> Phase:
    """The phase of a group.

    Args:
        candidates: what the hash may be, ns, the likelier first.
        timestamps_ms: of samples the ruler has written for this group.
        interval_ns: of the group.
    """
    seen = Counter(at % (interval_ns // MS) for at in timestamps_ms)
    if not seen:
        return Phase(candidates[0], "hash", is_exact=True) if candidates else Phase(0, "assumed", is_exact=False)
    phase_ms = max(seen, key=lambda at: (seen[at], -at))
    for candidate in candidates:
        if candidate // MS == phase_ms:
            return Phase(candidate, "samples", is_exact=True)
    return Phase(phase_ms * MS, "samples", is_exact=False)


def hashed_phases(file: str, group: str, interval_ns: int) -> tuple[int, ...]:
    """What the ruler's own hash makes of a path and a name: Prometheus has two ways to lay labels out in memory.

    Source: model/labels/labels_stringlabels.go and, for builds with the tag `slicelabels`, labels_slicelabels.go.
    """
    pairs = (("file", file), ("name", group))
    sized = b"".join(_sized(text) for pair in pairs for text in pair)
    separated = b"".join(text.encode() + b"\xff" for pair in pairs for text in pair)
    return tuple(xxhash64(data) % interval_ns for data in (sized, separated))


def slots(phase: Phase, interval_ns: int, start_ns: int, end_ns: int) -> range:
    """The moments of evaluation within [start, end], ns."""
    first = -(-(start_ns - phase.ns) // interval_ns) * interval_ns + phase.ns
    return range(first, end_ns + 1, interval_ns)


def xxhash64(data: bytes) -> int:
    """XXH64 with seed 0. Source: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md"""
    at, size = 0, len(data)
    if size >= 32:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while size - at >= 32:
            for lane in range(4):
                lanes[lane] = _round(lanes[lane], int.from_bytes(data[at : at + 8], "little"))
                at += 8
        total = sum(_rotate(lane, by) for lane, by in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            total = ((total ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        total = _P5
    total = (total + size) & _MASK
    while size - at >= 8:
        total ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        total = (_rotate(total, 27) * _P1 + _P4) & _MASK
        at += 8
    if size - at >= 4:
        total ^= int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK
        total = (_rotate(total, 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        total = _rotate(total ^ byte * _P5 & _MASK, 11) * _P1 & _MASK
    total = (total ^ total >> 33) * _P2 & _MASK
    total = (total ^ total >> 29) * _P3 & _MASK
    return total ^ total >> 32


def _round(lane: int, number: int) -> int:
    return _rotate((lane + number * _P2) & _MASK, 31) * _P1 & _MASK


def _rotate(number: int, by: int) -> int:
    return (number << by | number >> (64 - by)) & _MASK


def _sized(text: str) -> bytes:
    data = text.encode()
    size = bytes((len(data),)) if len(data) < 255 else b"\xff" + len(data).to_bytes(3, "little")
    return size + data
