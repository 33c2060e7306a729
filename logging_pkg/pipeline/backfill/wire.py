"""The three Protocol Buffers messages of Prometheus's remote read and remote write (1.0).

In: series with raw samples, or a question. Out: encoded messages, and the series of an answer. Never: a field that is
not needed here; unknown ones are stepped over.

A sample's value stays the 64 bits it is: a stale marker is a NaN told from other NaNs by its bits alone.
Source: https://github.com/prometheus/prometheus/blob/main/prompb/remote.proto and types.proto
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from logging_pkg.pipeline.backfill.snappy import read_uvarint, uvarint

#: Label names and values, sorted by name, `__name__` among them.
LabelSet = tuple[tuple[str, str], ...]
#: Values by time, ms since 1970.
Points = dict[int, float]

#: Prometheus's staleness marker: the series is no longer there (model/value/value.go).
STALE_BITS: Final = 0x7FF0000000000002
STALE: Final[float] = struct.unpack("<d", struct.pack("<Q", STALE_BITS))[0]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def is_stale(value: float) -> bool:
    """Whether a value is a stale marker."""
    return bits(value) == STALE_BITS


def bits(value: float) -> int:
    """The 64 bits of a value."""
    number: int = struct.unpack("<Q", struct.pack("<d", value))[0]
    return number


def label_set(labels: Mapping[str, str]) -> LabelSet:
    """Labels in the order Prometheus asks for; empty ones are no labels."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def write_request(series: Mapping[LabelSet, Points]) -> bytes:
    """A WriteRequest; samples of a series in the order of their times."""
    return b"".join(_bytes(1, _time_series(labels, points)) for labels, points in series.items())


def read_request(name: str, start_ms: int, end_ms: int) -> bytes:
    """A ReadRequest for all series of a metric name, both ends included."""
    matcher = _bytes(2, b"__name__") + _bytes(3, name.encode())
    query = _tag(1, _VARINT) + uvarint(start_ms) + _tag(2, _VARINT) + uvarint(end_ms) + _bytes(3, matcher)
    return _bytes(1, query)


def read_response(message: bytes) -> dict[LabelSet, Points]:
    """The series of a ReadResponse to one question.

    Raises:
        ValueError: it is no such message.
    """
    found: dict[LabelSet, Points] = {}
    try:
        for field, result in _fields(message):
            if field == 1 and isinstance(result, bytes):
                for inner, series in _fields(result):
                    if inner == 1 and isinstance(series, bytes):
                        labels, points = _read_series(series)
                        found.setdefault(labels, {}).update(points)
    except (IndexError, UnicodeDecodeError, struct.error) as error:
        raise ValueError(f"not a ReadResponse: {error}") from None
    return found


def _time_series(labels: LabelSet, points: Points) -> bytes:
    parts = [_bytes(1, _bytes(1, name.encode()) + _bytes(2, value.encode())) for name, value in labels]
    parts += [
        _bytes(2, _tag(1, _FIXED64) + struct.pack("<d", points[at]) + _tag(2, _VARINT) + uvarint(at))
        for at in sorted(points)
    ]
    return b"".join(parts)


def _read_series(message: bytes) -> tuple[LabelSet, Points]:
    labels: list[tuple[str, str]] = []
    points: Points = {}
    for field, part in _fields(message):
        if field == 1 and isinstance(part, bytes):
            texts = {inner: text.decode() for inner, text in _fields(part) if isinstance(text, bytes)}
            labels.append((texts.get(1, ""), texts.get(2, "")))
        elif field == 2 and isinstance(part, bytes):
            # proto3 leaves out what is 0.
            value, at = 0.0, 0
            for inner, number in _fields(part):
                if inner == 1 and isinstance(number, float):
                    value = number
                elif inner == 2 and isinstance(number, int):
                    at = number
            points[at] = value
    return tuple(sorted(labels)), points


def _fields(message: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    at = 0
    while at < len(message):
        key, at = read_uvarint(message, at)
        kind = key & 7
        value: int | float | bytes
        if kind == _VARINT:
            value, at = read_uvarint(message, at)
        elif kind == _FIXED64:
            (value,) = struct.unpack_from("<d", message, at)
            at += 8
        elif kind == _BYTES:
            size, at = read_uvarint(message, at)
            value = message[at : at + size]
            at += size
        elif kind == _FIXED32:
            (value,) = struct.unpack_from("<I", message, at)
            at += 4
        else:
            raise ValueError(f"not a ReadResponse: wire type {kind}")
        yield key >> 3, value


def _tag(field: int, kind: int) -> bytes:
    return uvarint(field << 3 | kind)


def _bytes(field: int, data: bytes) -> bytes:
    return _tag(field, _BYTES) + uvarint(len(data)) + data
