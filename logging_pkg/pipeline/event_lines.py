"""Which lines are events of this pipeline: a store holds what anybody sent it.

In: lines, or what they say. Out: events as dicts. Never: a check against a schema; fields are read whatever their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from logging_pkg.schemas.conventions import parse_timestamp

#: What a line must have to be an event of a trace.
_ENVELOPE_IDS = frozenset({"event", "event_id", "timestamp", "correlation_id", "span_id", "parent_span_id"})


def event_of_line(line: str) -> dict[str, Any] | None:
    """The event that a line is; None where it is none."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) and is_event(value) else None


def is_event(value: Mapping[str, Any]) -> bool:
    """Whether a JSON object has what every event of this pipeline has, in its type."""
    texts = (value.get(name) for name in _ENVELOPE_IDS if name != "parent_span_id")
    if not (value.keys() >= _ENVELOPE_IDS and all(isinstance(text, str) for text in texts)):
        return False
    try:
        parse_timestamp(value["timestamp"])
    except ValueError:
        return False
    return value["parent_span_id"] is None or isinstance(value["parent_span_id"], str)
