"""Tests of logging_pkg.analysis.trace.

In: events made here. Out: assertions on the tree. Never: a server.
"""

from __future__ import annotations

from typing import Any

import pytest

from logging_pkg.analysis.trace import build_trace


def event(name: str, span: str, parent: str | None, second: int, **fields: Any) -> dict[str, Any]:
    length = {"http.request_finished": "response_time_ms"}.get(name, "duration_ms")
    return {
        "event": name,
        "event_id": f"{name}-{span}-{second}",
        "timestamp": f"2026-11-23T10:00:{second:02d}.000000Z",
        "span_id": span,
        "parent_span_id": parent,
        length: 1000.0,
        **fields,
    }


def test_spans_are_linked_whatever_the_order_of_their_events() -> None:
    """A child's event is written before its parent's; the tree does not depend on the order given."""
    events = [
        event("google_api.call_finished", "c", "b", 2),
        event("http.request_finished", "a", None, 4, response_time_ms=4000.0),
        event("sync.run_finished", "b", "a", 3, duration_ms=2500.0),
    ]
    for order in (events, events[::-1]):
        trace = build_trace(order)
        assert [(depth, node.span_id) for depth, node in trace.walk()] == [(0, "a"), (1, "b"), (2, "c")]
        assert trace.orphans == ()


def test_siblings_stand_in_the_order_they_began() -> None:
    """The tree reads as time went."""
    trace = build_trace(
        [
            event("http.request_finished", "a", None, 9, response_time_ms=9000.0),
            event("sync.run_finished", "late", "a", 8),
            event("sync.run_finished", "early", "a", 5),
        ]
    )
    assert [node.span_id for _, node in trace.walk()] == ["a", "early", "late"]


def test_a_span_whose_parent_is_not_stored_is_an_orphan() -> None:
    """It is shown, and told apart from a root."""
    trace = build_trace([event("sync.run_finished", "b", "gone", 3)])
    assert trace.roots == ()
    assert [node.span_id for node in trace.orphans] == ["b"]


def test_findings_belong_to_the_span_they_were_found_in() -> None:
    """An event that tells of no span of its own is a detail of its span; without one it is loose."""
    finding = {**event("db.slow_query_detected", "a", None, 1), "event_id": "x-1"}
    record = {**event("log.message_recorded", "process", None, 1), "event_id": "x-2"}
    trace = build_trace([event("http.request_finished", "a", None, 4), finding, record])
    assert trace.roots[0].details == [finding]
    assert trace.loose == (record,)


def test_an_event_stored_twice_counts_once() -> None:
    """At-least-once shipping must not double a span."""
    once = event("http.request_finished", "a", None, 4)
    assert len(list(build_trace([once, dict(once)]).walk())) == 1


def test_unexplained_time_is_what_children_queries_and_back_off_leave() -> None:
    """4 s request: 1 s sync, 0.5 s back-off before its call inside, 1 s own queries: 2 s nobody explains."""
    trace = build_trace(
        [
            event("http.request_finished", "a", None, 10, response_time_ms=4000.0, query_time_ms=1000.0),
            event("sync.run_finished", "b", "a", 9, duration_ms=1000.0, query_time_ms=0.0),
        ]
    )
    assert trace.roots[0].unexplained_ns() == 2_000_000_000
    waited = build_trace(
        [
            event("sync.run_finished", "b", None, 10, duration_ms=2000.0),
            event("google_api.call_finished", "c", "b", 10, retry_delay_ms=600.0, quota_delay_ms=300.0),
        ]
    )
    assert waited.roots[0].unexplained_ns() == 100_000_000


def test_a_unit_accounts_for_nothing_by_itself() -> None:
    """A request alone is explained by its queries and cache calls; a sync below it by what is below the sync."""
    alone = event(
        "http.request_finished", "a", None, 10, response_time_ms=1000.0, query_time_ms=300.0, cache_time_ms=200.0
    )
    assert build_trace([alone]).explained == pytest.approx(0.5)
    nested = build_trace(
        [
            event("http.request_finished", "a", None, 10, response_time_ms=4000.0, query_time_ms=1500.0),
            event("sync.run_finished", "b", "a", 9, duration_ms=2000.0, query_time_ms=500.0),
            event("google_api.call_finished", "c", "b", 8, duration_ms=500.0),
        ]
    )
    # 2 s beside the sync less 1 s queries, 1.5 s beside the call less 0.5 s queries.
    assert [node.unexplained_ns() for _, node in nested.walk()] == [10**9, 10**9, 0]
    assert nested.explained == pytest.approx(0.5)


def test_an_attempt_accounts_for_its_time_and_a_function_for_what_is_in_it() -> None:
    """A token refreshed within an attempt takes nothing from it; a function with spans below has gaps of its own."""
    inner = event("http_client.request_finished", "c", "b", 10, duration_ms=100.0)
    attempt = event("google_api.call_finished", "b", None, 10)
    function = event("function.call_finished", "b", None, 10)
    assert build_trace([attempt, inner]).explained == 1.0
    assert build_trace([function, inner]).explained == pytest.approx(0.1)
    assert build_trace([function]).explained == 1.0


def test_queries_in_functions_explain_no_other_time() -> None:
    """A sync's sum of queries says not where they ran: what the functions took is taken off."""
    trace = build_trace(
        [
            event("sync.run_finished", "a", None, 10, duration_ms=4000.0, query_time_ms=1500.0),
            event("function.call_finished", "b", "a", 10),
        ]
    )
    assert trace.roots[0].unexplained_ns() == 2_500_000_000


def test_waits_stand_in_the_order_they_were_waited_for() -> None:
    """First the back-off, then the turn under the quota, then the attempt."""
    (root,) = build_trace(
        [event("google_api.call_finished", "a", None, 10, retry_delay_ms=600, quota_delay_ms=300)]
    ).roots
    assert root.waits() == [
        ("back-off", (root.start_ns - 900_000_000, root.start_ns - 300_000_000)),
        ("quota", (root.start_ns - 300_000_000, root.start_ns)),
    ]


def test_overlapping_children_explain_the_same_second_once() -> None:
    """Two calls at the same time do not explain twice their time."""
    trace = build_trace(
        [
            event("sync.run_finished", "a", None, 10, duration_ms=3000.0),
            event("google_api.call_finished", "b", "a", 10),
            event("google_api.call_finished", "c", "a", 10),
        ]
    )
    assert trace.roots[0].unexplained_ns() == 2_000_000_000


def test_a_request_that_was_killed_is_known_by_its_last_sign() -> None:
    """What it set off hangs below the watchdog's event; once a request has its own event, that one is the span."""
    stuck = event("http.request_stuck", "a", None, 5, elapsed_ms=4000.0)
    child = event("sync.run_finished", "b", "a", 3)
    (root,) = build_trace([child, stuck]).roots
    assert (root.event, root.duration_ns, [node.span_id for node in root.children]) == (stuck, 4 * 10**9, ["b"])
    finished = event("http.request_finished", "a", None, 9, response_time_ms=8000.0)
    for order in ([stuck, child, finished], [finished, child, stuck]):
        (root,) = build_trace(order).roots
        assert (root.event, root.details) == (finished, [stuck])
