"""What the page of a trace shows.

In: the answer of a look-up, what the address says of it. Out: the template's context. Never: a failure because a line
is of another shape.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from logging_pkg.console.bars import KEEP, ShownTrace, shown_trace
from logging_pkg.console.explore import ShownQuery, explore_between
from logging_pkg.console.lists import shown_event
from logging_pkg.pipeline.correlation import AROUND_NS, Asked, Found, NoSuchId
from logging_pkg.schemas.conventions import parse_timestamp, time_text

#: Events of a trace may still be on their way for so long after its last one, s.
_FRESH_S = 120
_SECOND_NS = 1_000_000_000
#: What anybody's line of another shape may set off.
_BROKEN = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class View:
    """What of a trace the address asks for.

    Attributes:
        is_whole: whether nothing is folded.
        zoom_ms: the part of its time, ms behind its begin.
        at: when the line was written that led here, RFC 3339; empty where that is not known.
    """

    is_whole: bool = False
    zoom_ms: tuple[float, float] | None = None
    at: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> View:
        """From `all`, `from`, `to` and `at` of a query string; what is not understood is left out."""
        return cls("all" in query, _numbers(query.get("from", ""), query.get("to", "")), _moment(query.get("at", "")))

    @property
    def at_ns(self) -> int | None:
        """The same in ns since 1970."""
        return parse_timestamp(self.at) if self.at else None

    @property
    def kept(self) -> str:
        """A query string that keeps all but the part of the time, to be gone on with."""
        told = {**({"all": "1"} if self.is_whole else {}), **({"at": self.at} if self.at else {})}
        return urlencode(told) + "&" if told else ""


def trace_context(found: Found | NoSuchId, view: View) -> dict[str, Any]:
    """What the template shows of events that were found, or why there are none."""
    if isinstance(found, NoSuchId):
        return {"view": view, "missing": str(found), "is_live": True}
    context: dict[str, Any] = {"view": view, "found": found}
    try:
        shown = shown_trace(found.events, None if view.is_whole else KEEP, view.zoom_ms, view.at)
    except _BROKEN as error:
        # Anybody who can push to Loki can write lines of any shape; they are shown as what they are.
        lines = (orjson.dumps(event).decode() for event in found.events[:100])
        return {
            **context,
            "broken": f"{type(error).__name__}: {error}",
            "loose": [*filter(None, map(shown_event, lines))],
        }
    *before, last = found.asked
    queries = [_shown_query(asked) for asked in before]
    queries.append(_shown_query(last, *_time_of(found, shown)))
    context |= {"trace": shown, "queries": queries, "is_live": time.time() - shown.end_ns / 1e9 < _FRESH_S}
    if found.is_part:
        context |= {
            "part": (time_text(last.start_ns), time_text(min(last.end_ns, time.time_ns()))),
            "earlier": _stamp(last.start_ns - AROUND_NS),
            "later": _stamp(last.end_ns + AROUND_NS) if last.end_ns < time.time_ns() else "",
        }
    return context


def _time_of(found: Found, shown: ShownTrace) -> tuple[int, int]:
    """From the first event to the last: what a link to the same query covers."""
    moments = [parse_timestamp(str(event["timestamp"])) for event in found.events]
    return min(moments) - _SECOND_NS, max(*moments, shown.end_ns) + _SECOND_NS


def _shown_query(asked: Asked, start_ns: int | None = None, end_ns: int | None = None) -> ShownQuery:
    start_ns, end_ns = start_ns or asked.start_ns, end_ns or asked.end_ns
    server = f"Loki for {time_text(asked.start_ns)} to {time_text(asked.end_ns)}"
    return ShownQuery("LogQL", server, asked.query, explore_between("LogQL", asked.query, start_ns, end_ns))


def _stamp(moment_ns: int) -> str:
    """As `parse_timestamp` reads it."""
    return time_text(moment_ns).replace("Z", ".000000Z")


def _moment(text: str) -> str:
    try:
        parse_timestamp(text)
    except (ValueError, OverflowError):
        return ""
    return text


def _numbers(*texts: str) -> tuple[float, float] | None:
    try:
        start, end = (float(text) for text in texts)
    except ValueError:
        return None
    return (start, end) if 0 <= start < end < 1e12 else None
