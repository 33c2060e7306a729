"""A waterfall as the page shows it: rows with bars in percent of the trace's length.

In: events of one correlation. Out: ShownTrace. Never: a bar outside its row, or so thin that it is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from logging_pkg.analysis.trace import Interval, Trace, build_trace
from logging_pkg.analysis.waterfall import Row, bounds, waterfall
from logging_pkg.console.lists import ShownEvent, shown_event
from logging_pkg.console.numbers import number

#: Of more spans beside each other the uneventful ones are folded.
KEEP = 8
#: Percent of the width.
_THINNEST = 0.4
_SCALE = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: where it begins and how long it is, percent."""

    x: str
    width: str


@dataclass(frozen=True, slots=True)
class ShownSpan:
    """One row."""

    row: Row
    indent: int
    bars: tuple[Bar, ...]
    duration: str
    share: str
    json: str


@dataclass(frozen=True, slots=True)
class ShownTrace:
    """A trace.

    Attributes:
        correlation_id: whose it is.
        title: of its first root.
        duration: of all of it.
        explained: the share of its time that something accounts for, percent.
        spans: its rows.
        ticks: times below the bars, from left to right.
        loose: events outside every span.
        orphan_count: spans whose parent is not in the store.
        event_count: all events.
        start: when it began, RFC 3339.
        end_ns: when it ended, ns since 1970.
    """

    correlation_id: str
    title: str
    duration: str
    explained: str
    spans: tuple[ShownSpan, ...]
    ticks: tuple[str, ...]
    loose: tuple[ShownEvent, ...]
    orphan_count: int
    event_count: int
    start: str
    end_ns: int


def shown_trace(events: Sequence[Mapping[str, Any]], keep: int | None = KEEP) -> ShownTrace:
    """The rows of a trace, folded to `keep` spans beside each other; None keeps all."""
    trace = build_trace(events)
    rows = waterfall(trace, keep=keep)
    begin, end = bounds(trace) if rows else (0, 0)
    length = max(1, end - begin)
    root = next((row for row in rows if row.kind == "span"), None)
    return ShownTrace(
        str(events[0]["correlation_id"]) if events else "",
        root.label if root is not None else "",
        number((end - begin) / 1_000_000, "ms"),
        f"{100 * trace.explained:.0f}",
        tuple(_span(row, (begin, length)) for row in rows),
        tuple(number(length * part / _SCALE / 1_000_000, "ms") for part in range(_SCALE + 1)) if rows else (),
        _loose(trace),
        len(trace.orphans),
        len(events),
        min((str(event["timestamp"]) for event in events), default=""),
        end,
    )


def _span(row: Row, between: Interval) -> ShownSpan:
    length = between[1]
    share = "" if row.duration_ns is None else f"{100 * row.duration_ns / length:.0f} %"
    text = orjson.dumps(row.event, option=orjson.OPT_INDENT_2).decode() if row.event else ""
    bars = tuple(_bar(interval, between) for interval in row.intervals)
    took = "" if row.duration_ns is None else number(row.duration_ns / 1_000_000, "ms")
    return ShownSpan(row, min(row.depth, 12), bars, took, share, text)


def _bar(interval: Interval, between: Interval) -> Bar:
    begin, length = between
    start = min(max(0.0, 100 * (interval[0] - begin) / length), 100 - _THINNEST)
    width = max(_THINNEST, min(100 * (interval[1] - interval[0]) / length, 100 - start))
    return Bar(f"{start:.3f}%", f"{width:.3f}%")


def _loose(trace: Trace) -> tuple[ShownEvent, ...]:
    found = (shown_event(orjson.dumps(event).decode()) for event in trace.loose)
    return tuple(event for event in found if event is not None)
