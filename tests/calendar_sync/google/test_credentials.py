"""google.credentials: access tokens that end, against the fake server's token endpoint."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import pytest
from django.utils import timezone
from google.auth.exceptions import RefreshError, TransportError
from google_auth_httplib2 import Request
from httplib2 import Http

from calendar_sync.google import AccessRevoked, AccountCredentials, ApiUnavailable, GoogleCalendarClient
from calendar_sync.models import GoogleAccount
from calendar_sync.sync import sync_account
from logging_pkg.testing import assert_event, assert_no_event
from tests.calendar_sync.conftest import local_events, server_events

REFRESH_TOKEN = "fake-refresh-anna"


@pytest.fixture
def connected(account: GoogleAccount, google) -> GoogleAccount:
    """The first account with a refresh token and no access token yet, as after `connect_google_account`."""
    account.access_token, account.refresh_token = "", REFRESH_TOKEN
    account.save()
    return account


@pytest.fixture
def list_calendars(google) -> Callable[[GoogleAccount], list[str]]:
    """One call of an account's client, which makes no attempt again."""

    def call(account: GoogleAccount) -> list[str]:
        def sleep(seconds: float) -> None:
            pytest.fail(f"waited {seconds} s")

        with GoogleCalendarClient(account.google_id, AccountCredentials(account), sleep=sleep) as client:
            (page,) = client.list_calendars()
        return [item["id"] for item in page.items]

    return call


def operations(control) -> list[tuple[str, int]]:
    """What the server was asked, and answered."""
    return [(entry["operation"], entry["status"]) for entry in control.ledger()]


def test_an_account_without_an_access_token_gets_one(connected, control, list_calendars):
    """Before its first request; token and end are in the row, and the refresh token stays."""
    assert len(list_calendars(connected)) == 5

    assert operations(control) == [("oauth2.token", 200), ("calendarList.list", 200)]
    stored = GoogleAccount.objects.get()
    assert stored.access_token.startswith("fake-access-")
    assert stored.refresh_token == REFRESH_TOKEN
    assert dt.timedelta(minutes=59) < stored.token_expires_at - timezone.now() <= dt.timedelta(hours=1)


def test_a_token_that_lasts_is_used_by_the_next_client(connected, control, list_calendars):
    """Read from the row, without another refresh."""
    list_calendars(connected)
    control.clear_ledger()

    list_calendars(GoogleAccount.objects.get())

    assert operations(control) == [("calendarList.list", 200)]


def test_a_token_that_is_about_to_end_is_refreshed_before_it_is_used(connected, control, list_calendars):
    """By the time in the row; the API is never asked with an old token."""
    list_calendars(connected)
    GoogleAccount.objects.update(token_expires_at=timezone.now() + dt.timedelta(seconds=30))
    before = GoogleAccount.objects.get().access_token
    control.clear_ledger()

    list_calendars(GoogleAccount.objects.get())

    assert operations(control) == [("oauth2.token", 200), ("calendarList.list", 200)]
    stored = GoogleAccount.objects.get()
    assert stored.access_token != before
    assert stored.token_expires_at > timezone.now() + dt.timedelta(minutes=59)


def test_a_token_that_ended_early_is_refreshed_after_the_401(connected, control, list_calendars):
    """The same call goes on with the new token, and the row has it."""
    list_calendars(connected)
    before = GoogleAccount.objects.get().access_token
    control.expire_access_tokens()
    control.clear_ledger()

    assert len(list_calendars(GoogleAccount.objects.get())) == 5

    assert operations(control) == [("calendarList.list", 401), ("oauth2.token", 200), ("calendarList.list", 200)]
    assert GoogleAccount.objects.get().access_token != before


def test_a_sync_goes_on_when_its_token_ends_in_the_middle(connected, google, control, calendar_ids, log_events):
    """Every page arrives once, no resource fails, and the connection is healthy."""
    original = google.application.handle
    ended = []

    def ends_after_three_pages(request):
        if len(ended) < 3 and "/events" in request.path:
            ended.append(google.application.grants.expire() if len(ended) == 2 else 0)
        return original(request)

    google.application.handle = ends_after_three_pages
    report = sync_account(connected, "command")

    assert ended == [0, 0, 1]
    assert report.failed == []
    assert operations(control).count(("oauth2.token", 200)) == 2
    for calendar in calendar_ids:
        assert local_events(calendar) == server_events(control, calendar)
    assert_event(log_events, "calendar.connection_checked", status="healthy", count=1)


def test_a_revoked_account_is_found_out_at_its_next_sync(connected, control, list_calendars, log_events):
    """invalid_grant ends in AccessRevoked: nothing else is tried, the event says revoked and why, the row what to do."""
    list_calendars(connected)
    control.revoke(connected.google_id)
    account = GoogleAccount.objects.get()
    control.clear_ledger()
    log_events.clear()

    report = sync_account(account, "worker", sleep=lambda _: pytest.fail("waited"))

    assert report.is_revoked
    assert operations(control) == [("calendarList.list", 401), ("oauth2.token", 400)]
    checked = assert_event(log_events, "calendar.connection_checked", status="revoked", count=1)
    assert (checked["is_revoked"], checked["is_healthy"], checked["failed_count"]) == (1, 0, 1)
    assert checked["error_type"] == "calendar_sync.google.errors.AccessRevoked"
    account.refresh_from_db()
    assert account.last_error.endswith("connect the account again")


def test_an_account_granted_anew_is_synced_again(connected, control, list_calendars, log_events):
    """What failed is tried in full at the next pass; the event says healthy, and the error is gone from the row."""
    control.revoke(connected.google_id)
    sync_account(connected, "worker")
    control.grant(connected.google_id)

    report = sync_account(GoogleAccount.objects.get(), "worker")

    assert report.failed == []
    assert [event["status"] for event in log_events.named("calendar.connection_checked")] == ["revoked", "healthy"]
    assert GoogleAccount.objects.get().last_error == ""


def test_an_outage_of_the_token_endpoint_is_no_refusal(connected, control, log_events):
    """It passes: the attempt is made again after a back-off, and nobody is told to connect the account again."""
    # Not a status that google-auth tries again itself, after seconds of its own.
    control.fail("serverError", status=502, operation="oauth2.token")
    waited: list[float] = []

    report = sync_account(connected, "worker", sleep=waited.append)

    assert report.failed == []
    assert len(waited) == 1
    assert operations(control)[:3] == [("oauth2.token", 502), ("oauth2.token", 200), ("calendarList.list", 200)]
    assert_event(log_events, "calendar.connection_checked", status="healthy", count=1)


def test_a_token_endpoint_that_stays_away_leaves_the_account_connected(connected, control, log_events):
    """After the policy's attempts the list of calendars fails for now, and is not taken to be revoked."""
    control.fail("serverError", status=502, operation="oauth2.token", count=5)

    report = sync_account(connected, "worker", sleep=lambda _: None)

    (failed,) = report.failed
    assert isinstance(failed.failure, ApiUnavailable)
    assert "the token endpoint answered 502" in failed.error
    assert_no_event(log_events, "calendar.connection_checked", status="revoked")
    assert_event(log_events, "calendar.connection_checked", status="degraded", count=1)


def test_a_dropped_connection_to_the_token_endpoint_is_no_refusal(connected, control):
    """httplib2 sends again by itself; what it gives up on is one more attempt of ours."""
    control.fail("drop", operation="oauth2.token", count=3)

    assert sync_account(connected, "worker", sleep=lambda _: None).failed == []


def test_credentials_say_whether_to_try_again(connected, control):
    """RefreshError for a refusal, TransportError for an outage: google-auth has the former for both."""
    credentials = AccountCredentials(connected)
    http = Http(timeout=10)
    control.fail("serverError", status=502, operation="oauth2.token")
    with pytest.raises(TransportError):
        credentials.refresh(Request(http))
    control.revoke(connected.google_id)
    with pytest.raises(RefreshError):
        credentials.refresh(Request(http))
    http.close()


def test_an_account_that_cannot_be_refreshed_is_revoked_when_its_token_ends(account, control, list_calendars):
    """A static token, as the demonstration has them: there is nothing to get another for."""
    GoogleAccount.objects.update(token_expires_at=timezone.now() - dt.timedelta(seconds=1))

    with pytest.raises(AccessRevoked, match=r"RefreshError.*connect the account again"):
        list_calendars(GoogleAccount.objects.get())
    assert operations(control) == []


def test_another_refresh_token_is_kept(connected, google, list_calendars):
    """Where Google hands one out with the access token, the row has that one from then on."""
    altered_token(google, "fake-refresh-ben")

    list_calendars(connected)

    assert GoogleAccount.objects.get().refresh_token == "fake-refresh-ben"


def test_a_refresh_leaves_an_account_that_was_connected_again_alone(connected, list_calendars):
    """A sync that read the row before still has the old refresh token, and must not write it over the new one."""
    stale = GoogleAccount.objects.get()
    GoogleAccount.objects.update(refresh_token="a-newer-one")

    list_calendars(stale)

    stored = GoogleAccount.objects.get()
    assert stored.refresh_token == "a-newer-one"
    assert stored.access_token == stale.access_token


def test_a_refresh_changes_nothing_but_tokens(connected, list_calendars):
    """What a sync has saved meanwhile stays."""
    stale = GoogleAccount.objects.get()
    GoogleAccount.objects.update(sync_token="newer", last_error="as it is")

    list_calendars(stale)

    stored = GoogleAccount.objects.get()
    assert (stored.sync_token, stored.last_error) == ("newer", "as it is")


def test_no_token_is_in_any_event_or_message(connected, control, calendar_ids, log_events):
    """Refreshes that succeed, fail and are refused, syncs, their errors: neither token, code nor secret is anywhere."""
    sync_account(connected, "command")
    control.expire_access_tokens()
    control.fail("serverError", status=502, operation="oauth2.token")
    second = sync_account(connected, "command", sleep=lambda _: None)
    control.revoke(connected.google_id)
    third = sync_account(connected, "command")

    assert second.failed == []
    assert third.is_revoked
    everything = json.dumps(log_events) + "".join(report.error for report in third.failed)
    stored = GoogleAccount.objects.get()
    for secret in (REFRESH_TOKEN, "fake-access-", stored.access_token, "Bearer", "client_secret"):
        assert secret not in everything
    assert len(log_events.named("google_api.call_finished")) >= 3


def altered_token(google, refresh_token: str) -> None:
    """Have the token endpoint hand out another refresh token, too."""
    original = google.application.handle

    def handle(request):
        response = original(request)
        if request.path == "/token":
            response.body["refresh_token"] = refresh_token
        return response

    google.application.handle = handle
