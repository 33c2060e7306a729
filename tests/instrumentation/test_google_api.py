"""The Google client's attempts, over real HTTP."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.errors import HttpError

from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.google_api import InstrumentedHttp, InstrumentedHttpRequest, google_account
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.instrumentation.google_server import HANG_UP, GoogleServer, serving

CALL = "google_api.call_finished"
RATE_LIMITED = {"error": {"code": 403, "errors": [{"reason": "rateLimitExceeded"}]}}


@pytest.fixture
def google() -> Iterator[GoogleServer]:
    with serving() as server:
        yield server


@pytest.fixture
def http() -> Iterator[InstrumentedHttp]:
    http = InstrumentedHttp(timeout=10)
    yield http
    http.close()


@pytest.fixture
def calendar(google: GoogleServer, http: InstrumentedHttp) -> Any:
    """The real client, its API at the local server."""
    document = json.loads(get_static_doc("calendar", "v3"))
    document["rootUrl"] = f"http://{google.address}/"
    document.pop("mtlsRootUrl", None)
    return build_from_document(document, http=http, requestBuilder=InstrumentedHttpRequest)


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
            request.retry_delay_s = delay
        assert request.execute() == {"items": []}
    assert [event["attempt"] for event in log_events.named(CALL)] == [1, 2, 3]
    assert len({event["api_call_id"] for event in log_events.named(CALL)}) == 1
    assert len({event["span_id"] for event in log_events.named(CALL)}) == 3
    assert log_events.named(CALL)[0]["api_call_id"] == log_events.named(CALL)[0]["span_id"]
    assert {event["parent_span_id"] for event in log_events.named(CALL)} == {sync.span_id}
    assert [event["retry_delay_ms"] for event in log_events.named(CALL)] == [None, 250.0, 500.0]
    assert [event["reason"] for event in log_events.named(CALL)] == ["rateLimitExceeded", "unlisted", None]
    assert [event["is_rate_limited"] for event in log_events.named(CALL)] == [1, 1, 0]
    assert [event["is_error"] for event in log_events.named(CALL)] == [1, 1, 0]
    assert (totals.api_calls, totals.quota_units) == (3, 3)


def test_the_clients_own_retries_are_attempts_too(
    google: GoogleServer, calendar: Any, log_events: LogEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`execute(num_retries=1)`."""
    monkeypatch.setattr("googleapiclient.http.time.sleep", lambda _: None)
    google.answers = [(503, "{}"), (200, {"items": []})]
    request = calendar.events().list(calendarId="c")
    request._sleep = lambda _: None
    request.execute(num_retries=1)
    assert [(event["attempt"], event["status_code"]) for event in log_events.named(CALL)] == [(1, 503), (2, 200)]
    assert len({event["api_call_id"] for event in log_events.named(CALL)}) == 1


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


def test_a_refused_connection_was_not_sent(calendar: Any, log_events: LogEvents, monkeypatch: Any) -> None:
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


def test_a_broken_answer_has_an_unknown_outcome(
    google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents
) -> None:
    """The connection closes before the answer, twice: the server may have acted, and its quota is counted."""
    google.answers = [(HANG_UP, None)] * 2
    with pytest.raises(ConnectionError):
        http.request(f"http://{google.address}/calendar", "GET")
    assert len(google.received) == len(log_events.named(CALL)) == 2
    for event in log_events.named(CALL):
        assert (event["outcome"], event["quota_units"], event["operation"]) == ("unknown", 1, "unlisted.get")


def test_a_dropped_keep_alive_connection_is_an_attempt(
    google: GoogleServer, calendar: Any, log_events: LogEvents
) -> None:
    """httplib2 sends a POST again by itself when the kept connection is closed: the server saw two, and so do we."""
    google.answers = [(200, {"id": "a"}), (HANG_UP, None), (200, {"id": "b"})]
    calendar.events().insert(calendarId="c", body={}).execute()
    log_events.clear()
    assert calendar.events().insert(calendarId="c", body={}).execute() == {"id": "b"}
    assert len(google.received) == 3
    broken, answered = log_events.named(CALL)
    assert (broken["attempt"], broken["outcome"], broken["status_code"]) == (1, "unknown", None)
    assert broken["error_type"] == "http.client.RemoteDisconnected"
    assert (answered["attempt"], answered["outcome"], answered["status_code"]) == (2, "answered", 200)
    assert broken["api_call_id"] == answered["api_call_id"] == broken["span_id"] != answered["span_id"]


def test_a_redirect_is_two_requests(google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents) -> None:
    """Each answer is told; what the caller gets is the last."""
    google.answers = [(302, f"http://{google.address}/there"), (200, {"a": 1})]
    response, content = http.request(f"http://{google.address}/here", "GET")
    assert (response.status, json.loads(content)) == (200, {"a": 1})
    assert len(google.received) == len(log_events.named(CALL)) == 2


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


def test_a_token_refresh_is_an_errand_of_its_own(
    google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents
) -> None:
    """It uses no Calendar quota and is no attempt of the call it serves."""
    google.answers = [(200, {})]
    http.request(f"http://{google.address}/token", "POST", body="refresh_token=hunter2")
    assert_event(log_events, CALL, operation="oauth2.token", quota_units=0, attempt=1)
    assert "hunter2" not in str(log_events)


def test_the_quota_day_is_pacific(
    google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 07:59 UTC in winter it is still yesterday's quota."""
    from datetime import UTC, datetime

    from logging_pkg.instrumentation import google_api

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime(2026, 1, 10, 7, 59, tzinfo=UTC).astimezone(tz)

    monkeypatch.setattr(google_api, "datetime", Clock)
    google.answers = [(200, {})]
    http.request(f"http://{google.address}/x", "GET")
    assert_event(log_events, CALL, quota_day="2026-01-09")


def test_an_unregistered_method_is_other(google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents) -> None:
    """A server that knows no such method answers 501."""
    http.request(f"http://{google.address}/x", "BREW")
    assert_event(log_events, CALL, http_method="OTHER", operation="unlisted.other", status_code=501)
