"""A waterfall as the page shows it: rows with bars in percent of the time that is shown.

In: events of one correlation. Out: ShownTrace. Never: a bar outside its row, or wider than what it stands for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from logging_pkg.analysis.trace import Interval, Trace, build_trace
from logging_pkg.analysis.waterfall import Row, bounds, waterfall
from logging_pkg.console.lists import ShownEvent, shown_event
from logging_pkg.console.numbers import number

#: Of more spans beside each other the uneventful ones are folded.
KEEP = 8
#: Rows, and events outside every span, that one page shows at most.
MAX_ROWS = 1000
MAX_LOOSE = 100
_SCALE = 4
#: Height of a bar, px.
_HEIGHT = 12.0
_LOWEST = 2.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar: where it begins and how long it is, percent; where its top is and how high it is, px."""

    x: str
    width: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class ShownSpan:
    """One row.

    Attributes:
        share: of the trace's length.
        zoom: its time as the page's address tells it (`from`, `to`), ms behind the trace's begin; nothing where
            the page shows no more than that.
    """

    row: Row
    indent: int
    bars: tuple[Bar, ...]
    duration: str
    share: str
    zoom: tuple[str, str] | None
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
        left_out: rows that are too many to show.
        ticks: times below the bars, from left to right.
        zoomed: the part of its time that is shown; empty where that is all.
        loose: events outside every span.
        loose_left_out: those that are too many to show.
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
    left_out: int
    ticks: tuple[str, ...]
    zoomed: str
    loose: tuple[ShownEvent, ...]
    loose_left_out: int
    orphan_count: int
    event_count: int
    start: str
    end_ns: int


def shown_trace(
    events: Sequence[Mapping[str, Any]],
    keep: int | None = KEEP,
    zoom_ms: tuple[float, float] | None = None,
    at: str = "",
) -> ShownTrace:
    """The rows of a trace.

    Args:
        events: of one correlation.
        keep: spans beside each other that are not folded; None folds nothing.
        zoom_ms: from when to when bars are shown, behind the trace's begin; None is all.
        at: when the line was written that led here, RFC 3339: of many events outside every span, those around it.
    """
    trace = build_trace(events)
    rows = waterfall(trace, keep=keep)
    whole = bounds(trace) if rows else (0, 1)
    whole = (whole[0], max(whole[1], whole[0] + 1))
    part = _part(whole, zoom_ms)
    within = list(_within(rows, part)) if part != whole else rows
    root = next((row for row in rows if row.kind == "span"), None)
    loose = _around(trace, at)
    return ShownTrace(
        str(events[0]["correlation_id"]) if events else "",
        root.label if root is not None else "",
        _length(whole[1] - whole[0]) if rows else "",
        f"{100 * trace.explained:.0f}",
        tuple(_span(row, part, whole) for row in within[:MAX_ROWS]),
        max(0, len(within) - MAX_ROWS),
        _ticks(part, whole) if rows else (),
        f"{_length(part[0] - whole[0])} to {_length(part[1] - whole[0])}" if part != whole else "",
        tuple(shown for event in loose if (shown := shown_event(orjson.dumps(event).decode())) is not None),
        len(trace.loose) - len(loose),
        len(trace.orphans),
        len(events),
        min((str(event["timestamp"]) for event in events), default=""),
        whole[1] if rows else 0,
    )


def _part(whole: Interval, zoom_ms: tuple[float, float] | None) -> Interval:
    """The time to show: within the trace, and not empty."""
    if zoom_ms is None:
        return whole
    start, end = (min(max(whole[0] + round(ms * 1_000_000), whole[0]), whole[1]) for ms in zoom_ms)
    return (start, end) if start < end else whole


def _within(rows: Sequence[Row], part: Interval) -> Iterator[Row]:
    """Rows whose bars lie in a time; what has no bar goes with its span."""
    shown: dict[int, bool] = {}
    for row in rows:
        is_in = any(_overlap(bar, part) for bar in row.intervals) if row.intervals else shown.get(row.depth - 1, False)
        if row.kind == "span":
            shown[row.depth] = is_in
        if is_in:
            yield row


def _overlap(bar: Interval, part: Interval) -> bool:
    return (bar[0] < part[1] and bar[1] > part[0]) or (bar[0] == bar[1] and part[0] <= bar[0] <= part[1])


def _span(row: Row, part: Interval, whole: Interval) -> ShownSpan:
    total = sum(end - start for start, end in row.intervals)
    # Where in its gaps unexplained time lies is not known: a bar as long as they are is as high as its share of them.
    filled = row.duration_ns / total if row.kind == "gap" and row.duration_ns and total else 1.0
    height = max(_LOWEST, _HEIGHT * min(1.0, filled))
    return ShownSpan(
        row,
        min(row.depth, 12),
        tuple(_bar(interval, part, height) for interval in row.intervals if _overlap(interval, part)),
        "" if row.duration_ns is None else _length(row.duration_ns),
        row.share(whole[1] - whole[0]),
        _zoom(row, part, whole),
        orjson.dumps(row.event, option=orjson.OPT_INDENT_2).decode() if row.event else "",
    )


def _bar(interval: Interval, part: Interval, height: float) -> Bar:
    start, end = (100 * (min(max(moment, part[0]), part[1]) - part[0]) / (part[1] - part[0]) for moment in interval)
    return Bar(f"{start:.4f}%", f"{end - start:.4f}%", f"{1 + _HEIGHT - height:.1f}", f"{height:.1f}")


def _zoom(row: Row, part: Interval, whole: Interval) -> tuple[str, str] | None:
    if not row.intervals:
        return None
    start, end = min(start for start, _ in row.intervals), max(end for _, end in row.intervals)
    if end <= start or (start <= part[0] and end >= part[1]):
        return None
    return f"{(start - whole[0]) / 1_000_000:.3f}", f"{(end - whole[0]) / 1_000_000:.3f}"


def _ticks(part: Interval, whole: Interval) -> tuple[str, ...]:
    step = (part[1] - part[0]) / _SCALE
    return tuple(_length(part[0] - whole[0] + step * place) for place in range(_SCALE + 1))


def _around(trace: Trace, at: str) -> Sequence[Mapping[str, Any]]:
    """Of too many events outside every span those before and behind a line, else the newest; in the order of time."""
    found = sorted(trace.loose, key=lambda event: str(event["timestamp"]))
    behind = sum(str(event["timestamp"]) > at for event in found) if at else 0
    first = min(max(0, len(found) - behind - MAX_LOOSE // 2), max(0, len(found) - MAX_LOOSE))
    return found[first : first + MAX_LOOSE]


def _length(nanoseconds: float) -> str:
    return number(nanoseconds / 1_000_000, "ms")
