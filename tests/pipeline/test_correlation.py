"""What belongs to an ID that has no end of its own, how much of it is given, and which queries are told.

In: lines of a process and of a sync in a real Loki. Out: assertions on what is found. Never: an ID that two tests share.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from logging_pkg.context import new_span_id
from logging_pkg.exceptions import LogpipeError
from logging_pkg.loki_client import LokiClient, Streams
from logging_pkg.pipeline.correlation import AROUND_NS, look_up, needs_time
from logging_pkg.schemas.conventions import parse_timestamp
from tests.pipeline.events import line, push

_SECOND = 1_000_000_000
_MINUTE, _HOUR = 60 * _SECOND, 3600 * _SECOND


def process(
    loki: LokiClient, service: str, started_ns: int, moments_ns: list[int], event: str = "log.message_recorded"
) -> tuple[str, list[dict[str, Any]]]:
    """Lines of a process that has run since then, outside every unit."""
    correlation = f"{started_ns // 1_000_000:012x}7{new_span_id()}abc"
    span = new_span_id()
    lines = [line(event, service, moment, correlation_id=correlation, span_id=span) for moment in sorted(moments_ns)]
    push(loki, lines)
    return correlation, lines


def times(events: list[dict[str, Any]]) -> list[str]:
    return sorted(event["timestamp"] for event in events)


def test_a_line_of_a_process_of_eight_hours_is_found_by_its_time(loki: LokiClient) -> None:
    """With what the process wrote shortly before and behind it; what it wrote at its start is another part."""
    now_ns = time.time_ns()
    clicked_ns = now_ns - 30 * _MINUTE
    near = [clicked_ns - AROUND_NS + _SECOND, clicked_ns, clicked_ns + AROUND_NS - _SECOND]
    far = [now_ns - 8 * _HOUR + _SECOND, clicked_ns - AROUND_NS - _SECOND, clicked_ns + AROUND_NS + _SECOND]
    correlation, lines = process(loki, "correlation-at", now_ns - 8 * _HOUR, [*near, *far])
    assert all(map(needs_time, lines)), "links to it carry the time"
    at = next(item["timestamp"] for item in lines if abs(parse_timestamp(item["timestamp"]) - clicked_ns) < _SECOND)
    found = look_up(loki, correlation, now_ns=now_ns, at_ns=parse_timestamp(at))
    assert len(found.events) == 3
    assert at in times(found.events)
    assert found.is_part
    assert not found.is_cut


def test_without_a_time_the_newest_hour_of_a_process_is_given(loki: LokiClient) -> None:
    """And what followed its start where it has written nothing in that hour."""
    now_ns = time.time_ns()
    start_ns = now_ns - 8 * _HOUR
    correlation, lines = process(loki, "correlation-newest", start_ns, [start_ns + _SECOND, now_ns - _MINUTE])
    found = look_up(loki, correlation, now_ns=now_ns)
    assert times(found.events) == times(lines)[-1:]
    assert found.is_part
    correlation, lines = process(loki, "correlation-ended", start_ns, [start_ns + _SECOND])
    found = look_up(loki, correlation, now_ns=now_ns)
    assert times(found.events) == times(lines)
    assert not found.is_part


def test_more_events_than_asked_for_are_cut_and_told_of(loki: LokiClient) -> None:
    """Around the line that led there: half of them before it, half behind."""
    now_ns = time.time_ns()
    moments = [now_ns - 100 * _SECOND + number * _SECOND for number in range(40)]
    correlation, lines = process(loki, "correlation-cut", now_ns - 101 * _SECOND, moments)
    clicked = times(lines)[20]
    found = look_up(loki, correlation, now_ns=now_ns, at_ns=parse_timestamp(clicked), limit=10)
    assert found.is_cut
    assert times(found.events) == times(lines)[16:26]
    newest = look_up(loki, correlation, now_ns=now_ns, limit=10)
    assert newest.is_cut
    assert times(newest.events) == times(lines)[-10:]
    whole = look_up(loki, correlation, now_ns=now_ns, at_ns=parse_timestamp(clicked), limit=100)
    assert (len(whole.events), whole.is_cut, whole.is_part) == (40, False, False)


def test_a_sync_is_given_whole_and_its_links_need_no_time(loki: LokiClient) -> None:
    """However far from its end the line is that led there."""
    start_ns = time.time_ns() - 3 * _HOUR
    correlation, sync_id = f"{start_ns // 1_000_000:012x}7{new_span_id()}abc", new_span_id()
    ids = {"correlation_id": correlation, "sync_id": sync_id}
    lines = [
        line("google_api.call_finished", "correlation-sync", start_ns + _SECOND, span_id=new_span_id(), **ids),
        line("sync.run_finished", "correlation-sync", start_ns + 2 * _HOUR, span_id=sync_id, **ids),
    ]
    push(loki, lines)
    assert not any(map(needs_time, lines))
    for at_ns in (None, start_ns + _SECOND):
        found = look_up(loki, correlation, at_ns=at_ns)
        assert (len(found.events), found.is_part, found.is_cut) == (2, False, False)


@pytest.mark.parametrize("kind", ["whole", "prefix", "sync_id", "uuid"])
def test_the_queries_that_are_told_find_what_was_found(loki: LokiClient, kind: str) -> None:
    """Asked again of Loki for the times told: one for the ID's correlation where it is none, one for the events."""
    moment = time.time_ns() - 10 * _MINUTE
    correlation, sync_id = f"{moment // 1_000_000:012x}7{new_span_id()}abc", "f" + new_span_id()[1:]
    push(loki, [line("sync.run_finished", f"correlation-{kind}", moment, correlation_id=correlation, sync_id=sync_id)])
    some_id = {
        "whole": correlation,
        "prefix": correlation[:20],
        "sync_id": sync_id,
        "uuid": f"{correlation[:8]}-{correlation[8:12]}-{correlation[12:]}",
    }[kind]
    found = look_up(loki, some_id)
    assert len(found.asked) == (1 if kind in {"whole", "uuid"} else 2)
    assert f'| correlation_id="{correlation}"' in found.asked[-1].query
    for asked in found.asked:
        answer = loki.query_range(asked.query, asked.start_ns, asked.end_ns)
        assert isinstance(answer, Streams)
        assert len(answer.entries) == 1, asked


def test_what_is_not_there_is_told_of(loki: LokiClient) -> None:
    """With a time as without."""
    for at_ns in (None, time.time_ns()):
        with pytest.raises(LogpipeError, match=r"no event with 0{32} found"):
            look_up(loki, "0" * 32, at_ns=at_ns)
