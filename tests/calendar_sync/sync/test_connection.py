"""What is told of an account's connection after a sync has tried it."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.sync import sync_account, sync_calendar, sync_calendar_list
from calendar_sync.sync.lease import Lease
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.testing import assert_event, assert_no_event

EVENT = "calendar.connection_checked"


def expires_in(account: GoogleAccount, **time: float) -> None:
    """Let the account's access token end then."""
    GoogleAccount.objects.filter(pk=account.pk).update(token_expires_at=timezone.now() + dt.timedelta(**time))
    account.refresh_from_db()


def test_a_sync_without_a_failure_is_healthy(account, google, log_events):
    """One event per sync of an account, with its hash and how much was tried."""
    sync_account(account, "worker")

    event = assert_event(log_events, EVENT, count=1, status="healthy", is_healthy=1, is_revoked=0)
    assert event["account_hash"] == account_hash_of(account.google_id)
    assert (event["resource_count"], event["failed_count"]) == (6, 0)
    assert (event["token_expires_in_s"], event["error_type"]) == (None, None)


def test_a_failed_calendar_makes_it_degraded(account, google, control, log_events):
    """With the number of those that failed, and what the first of them met."""
    control.fail("serverError", count=10, operation="events.list")

    sync_account(account, "worker")

    assert_event(
        log_events,
        EVENT,
        count=1,
        status="degraded",
        is_healthy=0,
        is_revoked=0,
        resource_count=6,
        failed_count=2,
        error_type="calendar_sync.google.errors.ApiUnavailable",
    )


def test_refused_credentials_make_it_revoked(account, google, log_events):
    """401 without a refresh token: the user must connect the account again."""
    GoogleAccount.objects.update(access_token="refused")

    sync_account(GoogleAccount.objects.get(), "worker")

    assert_event(log_events, EVENT, count=1, status="revoked", is_healthy=0, is_revoked=1, resource_count=1)


def test_revoked_between_two_calendars_it_is_revoked(account, google, control, log_events):
    """Not only degraded, although most of it was synced."""
    sync_account(account, "worker")
    log_events.clear()
    control.fail("authError", count=3, operation="events.list")

    sync_account(GoogleAccount.objects.get(), "worker")

    assert_event(log_events, EVENT, count=1, status="revoked", resource_count=2, failed_count=1)


@pytest.mark.parametrize(("hours", "status"), [(23.9, "expiring"), (24.1, "healthy")])
def test_a_token_that_nothing_refreshes_is_told_of_a_day_before_it_ends(account, google, log_events, hours, status):
    """With the seconds left."""
    expires_in(account, hours=hours)

    sync_account(account, "worker")

    event = assert_event(log_events, EVENT, count=1, status=status, is_healthy=int(status == "healthy"))
    assert hours * 3600 - 60 < event["token_expires_in_s"] <= hours * 3600


def test_a_token_that_is_refreshed_is_not_told_of(account, google, log_events):
    """It ends every hour, and nobody has to do anything about it."""
    account.refresh_token = "fake-refresh-anna"
    account.save()
    expires_in(account, hours=1)

    sync_account(account, "worker")

    assert_event(log_events, EVENT, count=1, status="healthy", token_expires_in_s=None)


def test_an_ended_token_is_revoked_and_says_for_how_long(account, google, log_events):
    """The seconds are negative."""
    expires_in(account, hours=-1)

    sync_account(account, "worker")

    event = assert_event(log_events, EVENT, count=1, status="revoked")
    assert -3660 < event["token_expires_in_s"] <= -3600


def test_a_failure_counts_more_than_a_token_that_is_about_to_end(account, google, control, log_events):
    """Degraded, with the time left all the same."""
    expires_in(account, hours=1)
    control.fail("serverError", count=5, operation="calendarList.list")

    sync_account(account, "worker")

    assert_event(log_events, EVENT, count=1, status="degraded", token_expires_in_s=lambda left: left > 3000)


def test_the_sync_of_one_resource_tells_too(account, google, control, log_events):
    """A push's sync is one of one calendar, or of the list."""
    sync_calendar_list(account, "push")
    control.fail("serverError", count=5, operation="events.list")
    sync_calendar(Calendar.objects.first(), "push")

    told = [(event["status"], event["resource_count"]) for event in log_events.named(EVENT)]
    assert told == [("healthy", 1), ("degraded", 1)]


def test_a_sync_that_tried_nothing_tells_nothing(account, google, log_events):
    """Another one is at it, and tells."""
    sync_calendar_list(account, "worker")
    calendar = Calendar.objects.first()
    lease = Lease(calendar)
    log_events.clear()

    sync_calendar(Calendar.objects.get(pk=calendar.pk), "worker")

    assert_no_event(log_events, EVENT)
    lease.release()


def test_failures_in_a_row_are_counted_until_a_success(account, google, control):
    """Per resource, in its row."""
    sync_account(account, "worker")
    control.fail("serverError", count=15, operation="events.list", account=account.google_id)
    counts = []
    for _ in range(3):
        sync_account(GoogleAccount.objects.get(), "worker")
        counts.append(sorted(Calendar.objects.values_list("failures_in_a_row", flat=True)))

    assert counts == [[0, 0, 1, 1, 1], [0] * 5, [0] * 5]
