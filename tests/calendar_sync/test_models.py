"""What the database itself guarantees."""

from __future__ import annotations

import datetime as dt
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection
from django.utils import timezone

from calendar_sync.models import Calendar, Event, GoogleAccount

pytestmark = pytest.mark.django_db


def make_calendar(account: GoogleAccount, google_id: str = "c1") -> Calendar:
    return Calendar.objects.create(account=account, google_id=google_id, etag='"1"', summary="Team")


def make_event(calendar: Calendar, google_id: str = "e1") -> Event:
    now = timezone.now()
    return Event.objects.create(
        calendar=calendar, google_id=google_id, etag='"1"', starts_at=now, ends_at=now, google_updated_at=now
    )


def test_an_account_is_connected_once_per_user(account):
    """The same Google account cannot be there twice for one user."""
    with pytest.raises(IntegrityError):
        GoogleAccount.objects.create(
            user=account.user, google_id=account.google_id, email="x@example.com", access_token="t"
        )


def test_a_calendar_is_there_once_per_account(account):
    """Unique by account and Google's ID."""
    make_calendar(account)
    with pytest.raises(IntegrityError):
        make_calendar(account)


def test_an_event_is_there_once_per_calendar(account):
    """Unique by calendar and Google's ID; the same ID may be in two calendars."""
    first, second = make_calendar(account, "c1"), make_calendar(account, "c2")
    make_event(first)
    make_event(second)
    with pytest.raises(IntegrityError):
        make_event(first)


def test_counts_of_events_include_empty_calendars(account):
    """A calendar without events counts 0, not None; events of others are not counted."""
    full, empty = make_calendar(account, "full"), make_calendar(account, "empty")
    make_event(full, "e1")
    make_event(full, "e2")

    counts = {calendar.pk: calendar.event_count for calendar in Calendar.objects.with_event_counts()}

    assert counts == {full.pk: 2, empty.pk: 0}


def test_rows_name_themselves(account):
    """For logs and error messages: address, title, summary."""
    calendar = make_calendar(account)
    event = make_event(calendar)
    event.summary = "Stand-up"

    assert (str(account), str(calendar), str(event)) == ("anna@example.com", "Team", "Stand-up")


def test_the_migrations_are_complete():
    """No change of a model is without its migration."""
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())


def test_upcoming_events_are_found_by_the_index(account):
    """The planner takes the index on calendar and start; no scan of all events."""
    calendar = make_calendar(account)
    start = timezone.now()
    events = Event.objects.filter(calendar=calendar, starts_at__gte=start, starts_at__lt=start + dt.timedelta(days=60))
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")

    assert "event_by_calendar_and_start" in events.explain()
