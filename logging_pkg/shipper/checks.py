"""Decide for one line whether it can be shipped, and where to. The verdicts are those of the VRL in vector.toml.

In: a line's bytes, without its newline. Out: a Shippable, or the reason for the dead letter.
Never: changes the line, validates more than Vector can (the writer has validated the whole event already).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

import orjson

from logging_pkg.schemas.conventions import (
    ENV_PATTERN,
    MAX_LINE_BYTES,
    SERVICE_NAME_PATTERN,
    STRUCTURED_METADATA,
    parse_timestamp,
)

# The reasons, in the order the checks are made; vector.toml aborts with the same words.
OVERSIZE_LINE = "oversize_line"
NOT_A_JSON_OBJECT = "not_a_json_object"
NOT_UTF8 = "not_utf8"
UNKNOWN_EVENT = "unknown_event"
BAD_LABEL = "bad_label"
BAD_TIMESTAMP = "bad_timestamp"
BAD_EVENT_ID = "bad_event_id"
BAD_METADATA = "bad_metadata"

#: serde_json, which VRL parses with, refuses deeper documents. A level takes at least 2 bytes of arrays, 6 of objects.
_MAX_DEPTH = 127
_SHORTEST_DEEP_OBJECT = 6 * _MAX_DEPTH
#: What a line stamped by this package looks like up to the second. 1970-2199: Loki counts nanoseconds in an int64.
_SECOND_PATTERN = re.compile(
    r"(19[7-9][0-9]|2[01][0-9][0-9])-[0-9]{2}-[0-9]{2}T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\."
)
_EVENT_ID = "[0-9a-f]{32}-[1-9][0-9]{0,18}"
_ID = "[A-Za-z0-9._-]{1,64}"
_EVENT_ID_PATTERN = re.compile(_EVENT_ID)
_OPTIONAL_METADATA = tuple(name for name in STRUCTURED_METADATA if name != "event_id")
#: By number of values, joined by newlines: counting the lines is what keeps a newline out of a value.
_METADATA_PATTERNS = [
    re.compile(rf"{_EVENT_ID}(?:\n{_ID}){{{others}}}") for others in range(len(_OPTIONAL_METADATA) + 1)
]
_MAX_CACHED = 4096

#: Values of the stream labels, in the order of conventions.STREAM_LABELS.
StreamKey = tuple[str, str, str]


class Shippable(NamedTuple):
    """A line that can go to Loki."""

    stream: StreamKey
    timestamp_ns: str
    """Nanoseconds since 1970 in decimal digits, as Loki's JSON wants them."""
    line: str
    metadata: dict[str, str]

    @property
    def event_id(self) -> str:
        """Unique for ever: instance_id-seq."""
        return self.metadata["event_id"]


_new_tuple = tuple.__new__


class LineChecker:
    """Checks lines against the declared events. One per shipper: it remembers label sets and the last second."""

    def __init__(self, events: Collection[str]) -> None:
        self._events = frozenset(events)
        self._streams: dict[tuple[Any, Any, Any], StreamKey] = {}
        self._seconds: dict[str, str] = {}

    def check(self, line: bytes) -> Shippable | str:
        """Return what to ship, or the reason for the dead letter."""
        if len(line) >= MAX_LINE_BYTES:
            return OVERSIZE_LINE
        if not line.startswith(b"{"):
            return NOT_A_JSON_OBJECT
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return NOT_UTF8
        try:
            data = orjson.loads(line)
        except orjson.JSONDecodeError:
            return NOT_A_JSON_OBJECT
        # Counting takes longer than looking for the first one, and most lines have no array and are short.
        if (
            (len(line) > _SHORTEST_DEEP_OBJECT or b"[" in line)
            and line.count(b"{") + (line.count(b"[") if b"[" in line else 0) > _MAX_DEPTH
            and _depth(data) > _MAX_DEPTH
        ):
            return NOT_A_JSON_OBJECT
        try:
            stream = self._streams[data["service_name"], data["env"], data["event"]]
        except (KeyError, TypeError):
            found = self._stream(data)
            if not isinstance(found, tuple):
                return found
            stream = found
        timestamp_ns = self._timestamp(data.get("timestamp"))
        if timestamp_ns is None:
            return BAD_TIMESTAMP
        metadata = {"event_id": data.get("event_id")}
        for name in _OPTIONAL_METADATA:
            value = data.get(name)
            if value is not None:
                metadata[name] = value
        try:
            # One match over all of them; join() refuses what is no string.
            valid = _METADATA_PATTERNS[len(metadata) - 1].fullmatch("\n".join(metadata.values()))
        except TypeError:
            valid = None
        if valid is None:
            event_id = metadata["event_id"]
            is_good_id = isinstance(event_id, str) and _EVENT_ID_PATTERN.fullmatch(event_id)
            return BAD_METADATA if is_good_id else BAD_EVENT_ID
        # NamedTuple's own constructor costs 0.4 us more.
        return _new_tuple(Shippable, (stream, timestamp_ns, text, metadata))

    def _stream(self, data: dict[str, Any]) -> StreamKey | str:
        service_name, env, event = data.get("service_name"), data.get("env"), data.get("event")
        if not isinstance(event, str) or event not in self._events:
            return UNKNOWN_EVENT
        if not isinstance(service_name, str) or SERVICE_NAME_PATTERN.fullmatch(service_name) is None:
            return BAD_LABEL
        if not isinstance(env, str) or ENV_PATTERN.fullmatch(env) is None:
            return BAD_LABEL
        if len(self._streams) >= _MAX_CACHED:
            self._streams.clear()
        return self._streams.setdefault((service_name, env, event), (service_name, env, event))

    def _timestamp(self, text: object) -> str | None:
        if not isinstance(text, str) or len(text) != 27 or not text.isascii():
            return None
        fraction = text[20:26]
        if not fraction.isdigit() or text[26] != "Z":
            return None
        second = self._seconds.get(text[:20])
        if second is None:
            if _SECOND_PATTERN.fullmatch(text, 0, 20) is None:
                return None
            try:
                second = str(parse_timestamp(f"{text[:20]}000000Z") // 1_000_000_000)
            except ValueError:
                return None
            if len(self._seconds) >= _MAX_CACHED:
                self._seconds.clear()
            self._seconds[text[:20]] = second
        return f"{second}{fraction}000"


def _depth(value: Any) -> int:
    """Levels of nesting; a scalar has 0. Iterative, since the input is hostile where this is called at all."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth
