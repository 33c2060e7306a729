"""The Google client's attempts, over real HTTP."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.google_api import InstrumentedHttp, google_account
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.instrumentation.google_server import GoogleServer

CALL = "google_api.call_finished"
RATE_LIMITED = {"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}


def test_a_listing_is_told_with_its_page_items_and_sizes(
    google: GoogleServer, calendar: Any, log_events: LogEvents
) -> None:
    """One event per page, each a call of its own with the number of its page."""
    google.answers = [(200, {"items": [{}, {}, {}], "nextPageToken": "p2"}), (200, {"items": []})]
    request = calendar.events().list(calendarId="bob@example.com")
    with google_account("bob@example.com"):
        first = request.execute()
        calendar.events().list_next(request, first).execute()
    one, two = log_events.named(CALL)
    assert one["operation"] == two["operation"] == "events.list"
    assert (one["page"], one["item_count"], two["page"], two["item_count"]) == (1, 3, 2, 0)
    assert one["attempt"] == two["attempt"] == 1
    assert one["api_call_id"] != two["api_call_id"]
    assert (one["status_code"], one["status_class"], one["outcome"], one["is_error"]) == (200, "2xx", "answered", 0)
    assert one["response_size_bytes"] == len(json.dumps({"items": [{}, {}, {}], "nextPageToken": "p2"}))
    assert one["quota_units"] == 1
    assert one["account_hash"] == account_hash_of("bob@example.com")
    assert "bob" not in str(log_events)


def test_a_single_object_has_neither_page_nor_items(google: GoogleServer, calendar: Any, log_events: LogEvents) -> None:
    """Only listings do; a body's size is told."""
    google.answers = [(200, {"id": "x"})]
    calendar.events().insert(calendarId="c", body={"summary": "hunter2"}).execute()
    event = assert_event(log_events, CALL, operation="events.insert", http_method="POST", page=None, item_count=None)
    assert event["request_size_bytes"] > 10
    assert "hunter2" not in str(log_events)


def test_retries_share_the_calls_id_and_have_spans_of_their_own(
    google: GoogleServer, calendar: Any, log_events: LogEvents
) -> None:
    """The same request executed again: attempt 2 of one call, with the delay that was waited."""
    google.answers = [(403, RATE_LIMITED), (429, "{}"), (200, {"items": []})]
    totals = Totals()
    request = calendar.events().list(calendarId="c")
    with active(start_span("sync", totals=totals)) as sync:
        for delay in (0.25, 0.5):
            with pytest.raises(HttpError):
                request.execute()
            request.retry_delay_s, request.quota_delay_s = delay, delay / 10
        assert request.execute() == {"items": []}
    assert [event["attempt"] for event in log_events.named(CALL)] == [1, 2, 3]
    assert len({event["api_call_id"] for event in log_events.named(CALL)}) == 1
    assert len({event["span_id"] for event in log_events.named(CALL)}) == 3
    assert log_events.named(CALL)[0]["api_call_id"] == log_events.named(CALL)[0]["span_id"]
    assert {event["parent_span_id"] for event in log_events.named(CALL)} == {sync.span_id}
    assert [event["retry_delay_ms"] for event in log_events.named(CALL)] == [None, 250.0, 500.0]
    assert [event["quota_delay_ms"] for event in log_events.named(CALL)] == [None, 25.0, 50.0]
    assert [event["reason"] for event in log_events.named(CALL)] == ["rateLimitExceeded", "unlisted", None]
    assert [event["is_rate_limited"] for event in log_events.named(CALL)] == [1, 1, 0]
    assert [event["is_error"] for event in log_events.named(CALL)] == [1, 1, 0]
    assert (totals.api_calls, totals.quota_units) == (3, 1)


def test_the_clients_own_retries_are_attempts_too(google: GoogleServer, calendar: Any, log_events: LogEvents) -> None:
    """`execute(num_retries=1)`, with what it waits in between."""
    google.answers = [(503, "{}"), (200, {"items": []})]
    request = calendar.events().list(calendarId="c")
    waited: list[float] = []
    request._sleep = waited.append
    request.execute(num_retries=1)
    assert [(event["attempt"], event["status_code"]) for event in log_events.named(CALL)] == [(1, 503), (2, 200)]
    assert [event["retry_delay_ms"] for event in log_events.named(CALL)] == [None, round(waited[0] * 1000, 3)]
    assert len({event["api_call_id"] for event in log_events.named(CALL)}) == 1
    assert request._sleep == waited.append


@pytest.mark.parametrize(
    ("status", "body", "reason", "is_error", "is_rate_limited"),
    [
        (403, {"error": {"errors": [{"reason": "quotaExceeded"}]}}, "quotaExceeded", 1, 0),
        (403, {"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}, "userRateLimitExceeded", 1, 1),
        (410, {"error": {"errors": [{"reason": "fullSyncRequired"}]}}, "fullSyncRequired", 0, 0),
        (400, {"error": "invalid_grant"}, "invalid_grant", 1, 0),
        (400, {"error": {"errors": [{"reason": "hunter2 and\nmore"}]}}, "unlisted", 1, 0),
        (400, {"error": {"errors": []}}, "unlisted", 1, 0),
        (500, "<html>not json", "unlisted", 1, 0),
        (502, "[]", "unlisted", 1, 0),
        (404, {"error": {"errors": [{"reason": 5}]}}, "unlisted", 1, 0),
    ],
)
def test_google_says_why(
    google: GoogleServer,
    calendar: Any,
    log_events: LogEvents,
    status: int,
    body: Any,
    reason: str,
    is_error: int,
    is_rate_limited: int,
) -> None:
    """Its reason where it has the shape of one; the client's error passes on."""
    google.answers = [(status, body)]
    with pytest.raises(HttpError):
        calendar.events().get(calendarId="c", eventId="e").execute()
    assert_event(
        log_events,
        CALL,
        status_code=status,
        reason=reason,
        is_error=is_error,
        is_rate_limited=is_rate_limited,
        outcome="answered",
    )
    assert "hunter2" not in str(log_events)


def test_a_refused_connection_was_not_sent(calendar: Any, log_events: LogEvents) -> None:
    """Nobody listens: the server saw nothing, and no quota was used."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        request = calendar.events().list(calendarId="c")
        request.uri = f"http://127.0.0.1:{closed.getsockname()[1]}/events"
        with pytest.raises(ConnectionRefusedError):
            request.execute()
    assert_event(
        log_events,
        CALL,
        outcome="unsent",
        status_code=None,
        status_class="none",
        quota_units=0,
        is_error=1,
        error_type="ConnectionRefusedError",
    )


def test_only_allow_listed_hosts_are_told_the_correlation(google: GoogleServer, calendar: Any) -> None:
    """Host, or host and port; the caller's own headers stay."""
    google.answers = [(200, {})] * 3
    for hosts in ((), (google.address,), ("127.0.0.1",)):
        with capture_events(propagate_to_hosts=hosts) as events, active(start_span("request")) as request:
            calendar.events().list(calendarId="c").execute()
        headers = google.received[-1][2]
        assert headers["accept"] == "application/json"
        if hosts:
            assert headers["x-correlation-id"] == request.correlation_id
            assert headers["traceparent"] == f"00-{request.correlation_id}-{events[0]['span_id']}-01"
        else:
            assert not {"x-correlation-id", "traceparent"} & headers.keys()


def test_an_unregistered_method_is_other(google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents) -> None:
    """A server that knows no such method answers 501."""
    http.request(f"http://{google.address}/x", "BREW")
    assert_event(log_events, CALL, http_method="OTHER", operation="unlisted.other", status_code=501)
