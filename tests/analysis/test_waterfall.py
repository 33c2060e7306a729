"""Tests of logging_pkg.analysis.waterfall.

In: events made here. Out: assertions on rows. Never: a server.
"""

from __future__ import annotations

from typing import Any

from logging_pkg.analysis.trace import build_trace
from logging_pkg.analysis.waterfall import bounds, waterfall
from tests.pipeline.events import line

_SECOND = 1_000_000_000
_T = 1_790_000_000 * _SECOND


def span(event: str, name: str, parent: str | None, end_s: float, **fields: Any) -> dict[str, Any]:
    return line(
        event, "app", _T + int(end_s * _SECOND), span_id=name * 16, parent_span_id=parent and parent * 16, **fields
    )


def request(**fields: Any) -> dict[str, Any]:
    sums = {
        "query_count": 12,
        "query_time_ms": 400.0,
        "cache_hit_count": 3,
        "cache_miss_count": 0,
        "cache_set_count": 1,
    }
    rest = {"cache_delete_count": 0, "cache_time_ms": 100.0, "status_code": 200, "method": "POST", "is_error": 0}
    return span(
        "http.request_finished", "a", None, 10, response_time_ms=10_000.0, path="/sync", **sums, **rest, **fields
    )


def call(name: str, parent: str, end_s: float, **fields: Any) -> dict[str, Any]:
    usual = {"operation": "events.list", "attempt": 1, "page": None, "is_error": 0, "reason": None, "status_code": 200}
    waits = {"retry_delay_ms": None, "quota_delay_ms": None}
    return span("google_api.call_finished", name, parent, end_s, duration_ms=1000.0, **{**usual, **waits, **fields})


def test_rows_tell_a_story_in_the_order_of_time() -> None:
    """The request, its sums, what was found in it, waits before the attempts, and what nothing accounts for."""
    finding = span("db.n_plus_one_detected", "a", None, 9.5, count=50, fingerprint="SELECT ?", caller="views.py:8")
    rows = waterfall(
        build_trace([call("c", "a", 9, retry_delay_ms=2000.0, attempt=2), call("b", "a", 2), finding, request()])
    )
    assert [(row.kind, row.depth, row.label, row.detail) for row in rows] == [
        ("span", 0, "POST /sync  200", rows[0].detail),
        ("sum", 1, "sql", "12 queries"),
        ("sum", 1, "cache", "3 hits, 1 sets"),
        ("finding", 1, "db.n_plus_one_detected", "50 × SELECT ? at views.py:8"),
        ("span", 1, "google events.list", "200 · attempt 1"),
        ("wait", 1, "back-off", ""),
        ("span", 1, "google events.list", "200 · attempt 2"),
        ("gap", 1, "unexplained", ""),
    ]
    begin = _T
    assert [row.intervals for row in rows if row.kind in {"wait", "gap"}] == [
        ((begin + 6 * _SECOND, begin + 8 * _SECOND),),
        (
            (begin, begin + _SECOND),
            (begin + 2 * _SECOND, begin + 6 * _SECOND),
            (begin + 9 * _SECOND, begin + 10 * _SECOND),
        ),
    ]
    # 10 s less two calls, a wait, queries and cache calls.
    assert rows[-1].duration_ns == int(5.5 * _SECOND)
    assert bounds(build_trace([request()])) == (begin, begin + 10 * _SECOND)


def test_many_alike_are_folded_but_never_what_went_wrong() -> None:
    """Failed and retried attempts stay; the rest is one row with all their bars and the sum of their times."""
    names = "bcdef"
    events = [call(name, "a", 1 + number) for number, name in enumerate(names)]
    failed = call("0", "a", 8, status_code=429, is_error=1, reason="rateLimitExceeded")
    trace = build_trace([*events, failed, request()])
    rows = waterfall(trace, keep=2)
    assert [row.detail for row in rows if row.kind == "span"][1:] == [
        "200 · attempt 1",
        "429 · rateLimitExceeded · attempt 1",
    ]
    (folded,) = [row for row in rows if row.kind == "folded"]
    assert (folded.label, len(folded.intervals), folded.duration_ns) == ("4 more google events.list", 4, 4 * _SECOND)
    assert sum(row.kind == "span" for row in waterfall(trace, keep=5)) == 7, "one more is shown, not folded"
    assert sum(row.kind == "span" for row in waterfall(trace)) == 7


def test_a_failure_is_marked() -> None:
    """So that it can be drawn red: an error, a failed sync, a request that never ended."""
    rows = waterfall(build_trace([call("b", "a", 2, is_error=1, status_code=500), request()]))
    assert [row.failed for row in rows if row.kind == "span"] == [False, True]
    stuck = span("http.request_stuck", "a", None, 5, elapsed_ms=4000.0)
    assert [row.failed for row in waterfall(build_trace([stuck])) if row.kind == "span"] == [True]
