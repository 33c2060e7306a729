"""GoogleCalendarClient against the fake server, over HTTP."""

from __future__ import annotations

import datetime as dt
import email.utils

import httplib2
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.errors import HttpError

from calendar_sync.google import (
    AccessRevoked,
    ApiRejected,
    ApiUnavailable,
    GoogleCalendarClient,
    NotFound,
    QuotaExceeded,
    RateLimited,
    RetryPolicy,
    SyncTokenExpired,
    new_event_id,
)
from calendar_sync.google.client import service_of
from calendar_sync.google.errors import retry_after_s, translated
from logging_pkg.testing import assert_event, capture_events

BODY = {"summary": "Stand-up", "start": {"date": "2026-03-01"}, "end": {"date": "2026-03-02"}}


def test_every_page_of_a_calendar_is_fetched(google_client, control, calendar_ids):
    """Pages of the asked size; the sync token comes with the last."""
    pages = list(google_client.list_events(calendar_ids[0], page_size=7))

    assert {len(page.items) for page in pages[:-1]} == {7}
    assert [page.sync_token is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    ids = [item["id"] for page in pages for item in page.items]
    assert sorted(ids) == sorted(event["id"] for event in control.events(calendar_ids[0]))


def test_a_sync_token_brings_only_news(google_client, control, calendar_ids):
    """The token of one listing starts the next, tombstones included."""
    *_, last = google_client.list_events(calendar_ids[0])
    done = control.mutate(calendar_ids[0], add=1, delete=1)

    (page,) = google_client.list_events(calendar_ids[0], last.sync_token)

    assert {item["id"] for item in page.items} == {*done["added"], *done["deleted"]}


def test_the_calendar_list_is_fetched(google_client, calendar_ids):
    """All calendars of the account, with a sync token."""
    (page,) = google_client.list_calendars()

    assert sorted(item["id"] for item in page.items) == sorted(calendar_ids)
    assert page.sync_token
    (news,) = google_client.list_calendars(page.sync_token)
    assert news.items == []


def test_an_expired_sync_token_has_an_error_of_its_own(google_client, control, calendar_ids, sleeps):
    """410 fullSyncRequired is not retried."""
    *_, last = google_client.list_events(calendar_ids[0])
    control.expire_sync_tokens()

    with pytest.raises(SyncTokenExpired, match=r"events.list: 410 fullSyncRequired"):
        list(google_client.list_events(calendar_ids[0], last.sync_token))
    assert sleeps == []


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("rateLimitExceeded", {}),
        ("userRateLimitExceeded", {}),
        ("tooManyRequests", {}),
        ("serverError", {"status": 500}),
        ("serverError", {"status": 503}),
    ],
)
def test_passing_failures_are_retried(google_client, control, calendar_ids, sleeps, kind, options):
    """Two failures, two growing windows of back-off, then the answer; each attempt reached the server."""
    control.fail(kind, count=2, **options)

    assert list(google_client.list_events(calendar_ids[0]))

    assert len(sleeps) == 2
    assert 0 <= sleeps[0] <= 1.0
    assert 0 <= sleeps[1] <= 2.0
    assert [entry["reason"] is None for entry in control.ledger()][:3] == [False, False, True]


def test_retry_after_is_honoured(google_client, control, calendar_ids, sleeps):
    """What the server asks for is waited in full, and less than the base of the back-off on top."""
    control.fail("tooManyRequests", retry_after_s=7)

    list(google_client.list_events(calendar_ids[0]))

    assert len(sleeps) == 1
    assert 7 <= sleeps[0] <= 8


def test_a_retry_after_beyond_the_policy_gives_up(google_client, control, calendar_ids, sleeps):
    """Nobody waits an hour: the error tells how long it would have been."""
    control.fail("tooManyRequests", retry_after_s=3600)

    with pytest.raises(RateLimited) as caught:
        list(google_client.list_events(calendar_ids[0]))

    assert caught.value.retry_after_s == 3600
    assert sleeps == []


def test_attempts_are_bounded(google_client, control, calendar_ids, sleeps):
    """After the policy's attempts the last failure is raised."""
    control.fail("serverError", count=10)

    with pytest.raises(ApiUnavailable, match="503 backendError"):
        list(google_client.list_events(calendar_ids[0]))

    assert len(sleeps) == 3
    assert len(control.ledger()) == 4


def test_a_used_up_quota_is_not_retried(google_client, control, sleeps):
    """403 quotaExceeded does not pass within seconds."""
    control.fail("quotaExceeded")

    with pytest.raises(QuotaExceeded):
        list(google_client.list_calendars())
    assert sleeps == []


def test_a_dropped_connection_is_retried(google_client, control, calendar_ids):
    """httplib2 sends again by itself; what it gives up on is one more attempt of ours."""
    control.fail("drop", count=3)

    assert list(google_client.list_events(calendar_ids[0]))
    assert [entry["status"] for entry in control.ledger()].count(None) == 3


def test_a_server_that_is_not_there_is_unavailable(settings, sleeps):
    """A refused connection is a passing failure, retried and then raised."""
    settings.GOOGLE_QUOTA_PER_MINUTE = settings.GOOGLE_QUOTA_PER_USER_MINUTE = 0
    with (
        GoogleCalendarClient(
            "1",
            Credentials("token"),
            api_root="http://127.0.0.1:1/",
            policy=RetryPolicy(2, 0.1, 1),
            sleep=sleeps.append,
        ) as client,
        pytest.raises(ApiUnavailable, match=r"calendarList.list: no answer \(ConnectionRefusedError"),
    ):
        list(client.list_calendars())
    assert len(sleeps) == 1


def test_a_refused_token_is_access_revoked(google, sleeps):
    """401 is not retried, and the message names no token."""
    with (
        GoogleCalendarClient("1", Credentials("wrong-token"), sleep=sleeps.append) as client,
        pytest.raises(AccessRevoked) as caught,
    ):
        list(client.list_calendars())

    assert "connect the account again" in str(caught.value)
    assert "wrong-token" not in str(caught.value)
    assert sleeps == []


@pytest.mark.parametrize("faults", [1, 2, 3])
def test_an_insert_whose_answers_get_lost_happens_once(google_client, control, calendar_ids, faults):
    """The server did the work and the answer was lost: the retry finds the event (409) and returns it."""
    before = len(control.events(calendar_ids[0]))
    control.fail("drop_after", count=faults, operation="events.insert")

    made = google_client.insert_event(calendar_ids[0], BODY)

    after = control.events(calendar_ids[0])
    assert len(after) == before + 1
    assert made["id"] in {event["id"] for event in after}


def test_events_can_be_changed_and_deleted(google_client, calendar_ids):
    """insert, get, patch with and against its etag, delete, and delete again."""
    made = google_client.insert_event(calendar_ids[0], {"id": new_event_id(), **BODY})
    patched = google_client.patch_event(calendar_ids[0], made["id"], {"summary": "Daily"}, etag=made["etag"])

    assert google_client.get_event(calendar_ids[0], made["id"])["summary"] == patched["summary"] == "Daily"
    with pytest.raises(ApiRejected, match="412 conditionNotMet"):
        google_client.patch_event(calendar_ids[0], made["id"], {"summary": "Late"}, etag=made["etag"])
    google_client.delete_event(calendar_ids[0], made["id"])
    google_client.delete_event(calendar_ids[0], made["id"])
    assert google_client.get_event(calendar_ids[0], made["id"])["status"] == "cancelled"


def test_a_delete_whose_answer_gets_lost_succeeds(google_client, control, calendar_ids):
    """The retry is answered 410 deleted, which is what was wanted."""
    made = google_client.insert_event(calendar_ids[0], BODY)
    control.fail("drop_after", count=2, operation="events.delete")

    google_client.delete_event(calendar_ids[0], made["id"])

    assert made["id"] not in {event["id"] for event in control.events(calendar_ids[0])}


def test_what_is_not_there_is_not_found(google_client):
    """404 has an error of its own."""
    with pytest.raises(NotFound, match=r"events.list: 404 notFound"):
        list(google_client.list_events("nobody@example.com"))


def test_batch_requests_go_to_the_configured_server(google):
    """The discovery document's rootUrl is rewritten, so no batch leaves for the public endpoint."""
    assert service_of(google.url).new_batch_http_request()._batch_uri.startswith(google.url)


@pytest.mark.parametrize(("text", "expected"), [("soon", None), ("", None), ("-5", 0.0), ("2.5", 2.5)])
def test_retry_after_in_seconds(text, expected):
    """RFC 9110 has seconds; a negative one is none to wait, nonsense is no header."""
    assert retry_after_s(HttpError(httplib2.Response({"status": 429, "retry-after": text}), b"{}")) == expected


def test_retry_after_as_a_date():
    """RFC 9110 allows an HTTP date, too."""
    date = email.utils.format_datetime(dt.datetime.now(dt.UTC) + dt.timedelta(seconds=20), usegmt=True)

    assert 15 < retry_after_s(HttpError(httplib2.Response({"status": 429, "retry-after": date}), b"{}")) <= 20


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[]", b'{"error": "x"}', b'{"error": {"code": 502, "message": "m"}}']
)
def test_an_answer_that_is_not_googles_is_still_classified(content):
    """A proxy's 502 has no reason of Google's; its status decides."""
    failure = translated(HttpError(httplib2.Response({"status": 502}), content), "events.list")

    assert type(failure) is ApiUnavailable
    assert str(failure).startswith("events.list: 502 unknown")


def test_each_attempt_is_an_event_of_one_call(google_client, control, calendar_ids):
    """Attempts of a call share api_call_id; the server saw the correlation the events carry."""
    host = control._root.split("/")[2]
    with capture_events(propagate_to_hosts=(host,)) as events:
        control.fail("tooManyRequests", retry_after_s=1)
        list(google_client.list_events(calendar_ids[0], page_size=2500))

    first, second = events.named("google_api.call_finished")
    assert (first["status_code"], first["attempt"], first["is_rate_limited"]) == (429, 1, 1)
    assert (second["status_code"], second["attempt"], second["is_rate_limited"]) == (200, 2, 0)
    assert first["api_call_id"] == second["api_call_id"]
    assert second["retry_delay_ms"] >= 1000
    seen = [entry["headers"]["x-correlation-id"] for entry in control.ledger()]
    assert seen == [first["correlation_id"], second["correlation_id"]]
    assert_event(events, "google_api.call_finished", operation="events.list", item_count=bool, count=1)
