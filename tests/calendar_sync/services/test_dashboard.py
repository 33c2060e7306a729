"""DashboardService: what it returns, and in how many queries."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.services import DashboardService

pytestmark = pytest.mark.django_db


def populate(user: User, accounts: int, calendars: int, events: int) -> list[GoogleAccount]:
    """Accounts with calendars with one event a day from now on."""
    made = []
    now = timezone.now()
    for number in range(accounts):
        account = GoogleAccount.objects.create(
            user=user, google_id=f"{user.pk}-{number}", email=f"{number}@example.com", access_token="t"
        )
        made.append(account)
        for index in range(calendars):
            calendar = Calendar.objects.create(
                account=account, google_id=f"c{index}", etag="1", summary=f"Calendar {index}"
            )
            Event.objects.bulk_create(
                Event(
                    calendar=calendar,
                    google_id=f"e{day}",
                    etag="1",
                    summary=f"Event {day}",
                    starts_at=now + dt.timedelta(days=day, hours=1),
                    ends_at=now + dt.timedelta(days=day, hours=2),
                    google_updated_at=now,
                )
                for day in range(events)
            )
    return made


@pytest.fixture
def user() -> User:
    return User.objects.create_user("anna")


@pytest.mark.parametrize("size", [(0, 0, 0), (1, 1, 1), (10, 5, 20)])
def test_the_dashboard_takes_three_queries_at_any_size(
    user, size, django_assert_max_num_queries: DjangoAssertNumQueries
):
    """Accounts, calendars with counts, next events; templates ask for nothing more."""
    populate(user, *size)

    with django_assert_max_num_queries(3):
        dashboard = DashboardService(user).dashboard()
        shown = [
            (calendar.summary, calendar.event_count) for summary in dashboard.accounts for calendar in summary.calendars
        ]
        names = [event.calendar.summary for event in dashboard.upcoming]

    assert (len(dashboard.accounts), len(shown), dashboard.event_count) == (
        size[0],
        size[0] * size[1],
        size[0] * size[1] * size[2],
    )
    assert len(names) == min(12, size[0] * size[1] * size[2])


def test_only_the_users_own_data_is_there(user):
    """Accounts and events of others are neither listed nor counted, and cannot be asked for by ID."""
    other = User.objects.create_user("ben")
    (foreign,) = populate(other, 1, 1, 3)
    service = DashboardService(user)

    assert service.dashboard().accounts == []
    assert service.dashboard().upcoming == []
    assert service.account(foreign.pk) is None
    assert service.account_of_calendar(foreign.calendars.get().pk) is None


def test_upcoming_is_today_to_sixty_days_of_enabled_calendars(user):
    """Past and far events and those of calendars that are off are left out; the order is by start."""
    (account,) = populate(user, 1, 2, 0)
    on, off = account.calendars.all()
    Calendar.objects.filter(pk=off.pk).update(enabled=False)
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for calendar in (on, off):
        for name, start in (("past", -1), ("later", 5), ("today", 0), ("far", 61)):
            starts_at = midnight + dt.timedelta(days=start)
            Event.objects.create(
                calendar=calendar,
                google_id=name,
                etag="1",
                summary=name,
                starts_at=starts_at,
                ends_at=starts_at,
                google_updated_at=midnight,
            )

    assert [event.summary for event in DashboardService(user).upcoming()] == ["today", "later"]
    assert [event.summary for event in DashboardService(user).upcoming(account)] == ["today", "later"]


def test_status_is_never_then_ok_then_failed(user):
    """The badge follows the last sync; the error of a calendar that is off does not count."""
    (account,) = populate(user, 1, 1, 0)
    service = DashboardService(user)
    assert service.account(account.pk).status == "never"

    GoogleAccount.objects.update(last_synced_at=timezone.now())
    assert service.account(account.pk).status == "ok"

    Calendar.objects.update(last_error="NotFound: gone")
    assert service.account(account.pk).status == "failed"
    assert service.account(account.pk).errors == ["Calendar 0: NotFound: gone"]

    Calendar.objects.update(enabled=False)
    assert service.account(account.pk).status == "ok"


def test_counts_of_an_account(user):
    """Enabled calendars, events, and whether all are on."""
    (account,) = populate(user, 1, 3, 2)
    Calendar.objects.filter(google_id="c0").update(enabled=False)

    summary = DashboardService(user).account(account.pk)
    dashboard = DashboardService(user).dashboard()

    assert (summary.enabled_count, summary.event_count) == (2, 6)
    assert (dashboard.calendar_count, dashboard.event_count) == (3, 6)


def test_a_calendar_is_found_with_its_account_in_two_queries(user, django_assert_num_queries: DjangoAssertNumQueries):
    """What a toggle needs, all of the account's calendars included."""
    (account,) = populate(user, 1, 5, 1)
    wanted = account.calendars.all()[3]

    with django_assert_num_queries(2):
        summary, calendar = DashboardService(user).account_of_calendar(wanted.pk)

    assert (summary.account.pk, calendar.pk, len(summary.calendars)) == (account.pk, wanted.pk, 5)
    assert calendar in summary.calendars


def test_no_page_reads_a_token(user, settings):
    """What no key decrypts is no reason not to show the account."""
    (account,) = populate(user, 1, 2, 1)
    settings.TOKEN_ENCRYPTION_KEYS = []

    dashboard = DashboardService(user).dashboard()
    summary = DashboardService(user).account(account.pk)

    assert [shown.account.email for shown in dashboard.accounts] == ["0@example.com"]
    assert summary is not None
    assert len(summary.calendars) == 2
