"""Batches: one event per HTTP request, with the number of its parts."""

from __future__ import annotations

from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient import _auth
from googleapiclient.errors import HttpError
from googleapiclient.http import BatchHttpRequest

from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.google_api import InstrumentedHttp, google_account, transport
from logging_pkg.instrumentation.google_api.batch import AnsweredParts, SentParts, answered_parts, sent_parts
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.instrumentation.google_server import HANG_UP, MULTIPART, GoogleServer, batch_answer, calendar_client

CALL = "google_api.call_finished"


def error(reason: str) -> dict[str, Any]:
    return {"error": {"errors": [{"reason": reason, "message": "hunter2"}]}}


def batch_of(calendar: Any, count: int, answers: list[Any] | None = None) -> BatchHttpRequest:
    batch = calendar.new_batch_http_request(
        callback=lambda name, answer, failure: (answers if answers is not None else []).append(answer or failure)
    )
    for number in range(count):
        batch.add(calendar.events().get(calendarId="bob@example.com", eventId=f"lunch{number}"))
    return batch


def test_a_batch_is_one_event_with_the_number_of_its_parts(
    google: GoogleServer, calendar: Any, log_events: LogEvents
) -> None:
    """Its own operation; the parts' answers reach the caller as ever."""
    google.answers = [(200, batch_answer((200, {"id": "a"}), (404, error("notFound")), (200, {"id": "c"})))]
    answers: list[Any] = []
    totals = Totals()
    with active(start_span("sync", totals=totals)), google_account("bob@example.com"):
        batch_of(calendar, 3, answers).execute()
    assert [answers[0], answers[2]] == [{"id": "a"}, {"id": "c"}]
    assert isinstance(answers[1], HttpError)
    assert_event(
        log_events,
        CALL,
        count=1,
        operation="batch",
        http_method="POST",
        attempt=1,
        status_code=200,
        outcome="answered",
        is_error=0,
        is_rate_limited=0,
        reason=None,
        part_count=3,
        part_error_count=1,
        quota_units=3,
        item_count=None,
        page=None,
        account_hash=account_hash_of("bob@example.com"),
    )
    assert (totals.api_calls, totals.quota_units) == (1, 3)
    assert not any(word in str(log_events) for word in ("bob", "hunter2", "lunch"))


def test_parts_that_were_refused_use_no_quota(google: GoogleServer, calendar: Any, log_events: LogEvents) -> None:
    """A rate limit, a usage limit, and one answered; one part told to slow down marks the batch."""
    google.answers = [
        (
            200,
            batch_answer(
                (403, error("rateLimitExceeded")), (403, error("quotaExceeded")), (204, None), (403, error("forbidden"))
            ),
        )
    ]
    batch_of(calendar, 4).execute()
    assert_event(
        log_events, CALL, count=1, part_count=4, part_error_count=3, quota_units=2, is_rate_limited=1, is_error=0
    )


@pytest.mark.parametrize(
    ("status", "body", "units", "is_rate_limited"),
    [
        (429, "{}", 0, 1),
        (403, error("userRateLimitExceeded"), 0, 1),
        (401, error("authError"), 0, 0),
        (503, "{}", 2, 0),
        (403, error("forbidden"), 2, 0),
    ],
)
def test_a_batch_that_fails_as_a_whole(
    google: GoogleServer,
    calendar: Any,
    log_events: LogEvents,
    status: int,
    body: Any,
    units: int,
    is_rate_limited: int,
) -> None:
    """Refused as a whole it uses nothing, else it may have used every part's unit."""
    google.answers = [(status, body)]
    with pytest.raises(HttpError):
        batch_of(calendar, 2).execute()
    assert_event(
        log_events,
        CALL,
        count=1,
        operation="batch",
        is_error=1,
        status_code=status,
        part_count=2,
        part_error_count=None,
        quota_units=units,
        is_rate_limited=is_rate_limited,
    )


def test_a_batch_without_an_answer_may_have_used_all_of_it(
    google: GoogleServer, calendar: Any, log_events: LogEvents
) -> None:
    """The re-send is a further attempt of the same call."""
    google.answers = [(HANG_UP, None), (HANG_UP, None)]
    with pytest.raises(ConnectionError):
        batch_of(calendar, 2).execute()
    broken = log_events.named(CALL)
    assert [(event["attempt"], event["outcome"], event["quota_units"]) for event in broken] == [
        (1, "unknown", 2),
        (2, "unknown", 2),
    ]


def test_parts_sent_again_after_a_refresh_are_a_further_attempt(google: GoogleServer, http: InstrumentedHttp) -> None:
    """The token that googleapiclient asks for on a connection of its own is seen, too; each request has its span."""
    google.answers = [
        (200, batch_answer((200, {"id": "a"}), (401, error("authError")))),
        (200, {"access_token": "new", "expires_in": 3600}),
        (200, batch_answer((200, {"id": "b"}))),
    ]
    credentials = Credentials(
        "old", refresh_token="r", token_uri=f"http://{google.address}/t", client_id="i", client_secret="s"
    )
    answers: list[Any] = []
    with capture_events(propagate_to_hosts=(google.address,)) as events, active(start_span("sync")):
        batch_of(calendar_client(google, AuthorizedHttp(credentials, http=http)), 2, answers).execute()
    assert answers == [{"id": "a"}, {"id": "b"}]
    first, token, again = events.named(CALL)
    assert [event["operation"] for event in (first, token, again)] == ["batch", "oauth2.token", "batch"]
    assert [event["attempt"] for event in (first, token, again)] == [1, 1, 2]
    assert [event["part_count"] for event in (first, token, again)] == [2, None, 1]
    assert [event["part_error_count"] for event in (first, token, again)] == [1, None, 0]
    assert [event["quota_units"] for event in (first, token, again)] == [1, 0, 1]
    assert first["api_call_id"] == again["api_call_id"] == first["span_id"]
    spans = [headers["traceparent"].split("-")[2] for _, _, headers in google.received]
    assert spans == [event["span_id"] for event in (first, token, again)]


def test_another_batch_is_another_call(google: GoogleServer, calendar: Any, log_events: LogEvents) -> None:
    """Of the same transport."""
    google.answers = [(200, batch_answer((200, {})))] * 2
    batch_of(calendar, 1).execute()
    batch_of(calendar, 1).execute()
    one, two = log_events.named(CALL)
    assert one["attempt"] == two["attempt"] == 1
    assert one["api_call_id"] != two["api_call_id"]


def test_other_credentials_are_refreshed_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of oauth2client, which is not google-auth."""
    InstrumentedHttp().close()
    refreshed: list[object] = []

    class Other:
        def refresh(self, http: object) -> None:
            refreshed.append(http)

    _auth.refresh_credentials(Other())
    assert len(refreshed) == 1


def test_refreshes_are_watched_once_and_not_where_emission_is_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """One wrapper, however many transports there are; none while METRICS_ENABLED is off."""

    def original(credentials: object) -> None:
        raise AssertionError

    monkeypatch.setattr(_auth, "refresh_credentials", original)
    with capture_events() as _, monkeypatch.context() as patched:
        patched.setattr(transport.conf, "settings", lambda: type("Off", (), {"enabled": False}))
        transport.watch_batch_refreshes()
    assert _auth.refresh_credentials is original
    transport.watch_batch_refreshes()
    watched = _auth.refresh_credentials
    transport.watch_batch_refreshes()
    assert _auth.refresh_credentials is watched is not original


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ('multipart/mixed; boundary="b"', "--b\nContent-ID: <x + 1>\n\n--b\nContent-ID: <x + 2>\n\n--b--\n", (2, "x")),
        ("multipart/mixed; boundary=b", b"--b\r\ncontent-id: <x+1>\r\n\r\n--b--\r\n", (1, "x+1")),
        ("multipart/mixed", "--b\n--b--", (0, None)),
        ("multipart/mixed; boundary=b", None, (0, None)),
        ("multipart/mixed; boundary=b", object(), (0, None)),
    ],
)
def test_what_a_batch_carries(content_type: str, body: Any, expected: tuple[int, str | None]) -> None:
    """With quotes or without, as text or bytes, or nothing that can be counted."""
    assert sent_parts(content_type, body) == SentParts(*expected)


@pytest.mark.parametrize(
    ("content_type", "content", "expected"),
    [
        (MULTIPART, b"", AnsweredParts(0, 0, 0)),
        ("application/json", b"--batch_answer", None),
        ("multipart/mixed", b"--batch_answer", None),
        (MULTIPART, b"--batch_answer\n\nHTTP/1.1 429 Slow\n\n--batch_answer--", AnsweredParts(1, 1, 1)),
        (
            MULTIPART,
            b'--batch_answer\n\nHTTP/1.1 200 OK\n\n{"a": "\\n\\nHTTP/1.1 500"}--batch_answer--',
            AnsweredParts(0, 0, 0),
        ),
        (MULTIPART, b"--batch_answer\r\nnonsense\r\n--batch_answer--", AnsweredParts(0, 0, 0)),
    ],
)
def test_what_became_of_the_parts(content_type: str, content: bytes, expected: AnsweredParts | None) -> None:
    """Only a part's own status line counts."""
    assert answered_parts(content_type, content) == expected
