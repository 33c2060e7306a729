"""Which lines are events of this pipeline: a store holds what anybody sent it.

In: lines, or what they say. Out: events as dicts, and why a line is none. Never: a check against a schema; fields are
read whatever their type.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from logging_pkg.pipeline.json_lines import JsonLine
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
    return not why_no_event(value)


def why_no_event(value: Mapping[str, Any]) -> str:
    """What a JSON object lacks to be an event of this pipeline; empty where it is one."""
    if not value.keys() >= _ENVELOPE_IDS:
        return f"no event of this pipeline: without {', '.join(sorted(_ENVELOPE_IDS - value.keys()))}"
    for name in _ENVELOPE_IDS:
        if not (isinstance(value[name], str) or (name == "parent_span_id" and value[name] is None)):
            return f"no event of this pipeline: {name} is no text"
    try:
        parse_timestamp(value["timestamp"])
    except ValueError:
        return "no event of this pipeline: timestamp is none in UTC, such as 2026-01-31T09:00:00.123456Z"
    return ""


@dataclass(slots=True)
class PassedOver:
    """The lines of files that are no events: how many, and the first one's place and reason."""

    count: int = 0
    first: str = ""

    def add(self, place: str, why: str) -> None:
        """Count a line.

        Args:
            place: file and line.
            why: what is wrong with it.
        """
        self.count += 1
        self.first = self.first or f"{place}: {why}"

    def __str__(self) -> str:
        if self.count == 1:
            return f"1 line is no event and was passed over: {self.first}"
        return f"{self.count:,} lines are no events and were passed over; the first, {self.first}"


def event_in(line: JsonLine, place: str, passed_over: PassedOver) -> dict[str, Any] | None:
    """The event that a line of a file is; None where it is none, which is counted with its place."""
    why = line.problem if line.value is None else why_no_event(line.value)
    if why:
        passed_over.add(place, why)
        return None
    return line.value
