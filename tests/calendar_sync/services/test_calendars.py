"""CalendarService: switching calendars."""

from __future__ import annotations

import pytest
from pytest_django import DjangoAssertNumQueries

from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.services import CalendarService, DashboardService

pytestmark = pytest.mark.django_db


def add_calendars(account: GoogleAccount, count: int) -> None:
    Calendar.objects.bulk_create(
        Calendar(account=account, google_id=f"c{number}", etag="1", summary=f"{number}") for number in range(count)
    )


def test_all_calendars_of_an_account_are_switched_by_one_statement(
    account, other_account, django_assert_num_queries: DjangoAssertNumQueries
):
    """Fifty calendars, one UPDATE; other accounts stay; the count is of those that changed."""
    add_calendars(account, 50)
    add_calendars(other_account, 2)
    Calendar.objects.filter(account=account, google_id="c7").update(enabled=False)

    row = DashboardService(account.user).account(account.pk).account

    with django_assert_num_queries(1):
        changed = CalendarService.bulk_toggle_calendars(row, False)

    assert changed == 49
    assert not account.calendars.filter(enabled=True).exists()
    assert other_account.calendars.filter(enabled=True).count() == 2
    assert CalendarService.bulk_toggle_calendars(row, True) == 50


def test_one_calendar_is_switched(account, django_assert_num_queries: DjangoAssertNumQueries):
    """The row and the given value agree; its sync state is untouched."""
    add_calendars(account, 2)
    calendar = account.calendars.get(google_id="c0")
    Calendar.objects.filter(pk=calendar.pk).update(sync_token="token saved meanwhile")

    _, row = DashboardService(account.user).account_of_calendar(calendar.pk)

    with django_assert_num_queries(1):
        CalendarService.toggle_calendar(row, False)

    stored = Calendar.objects.get(pk=calendar.pk)
    assert (row.enabled, stored.enabled, stored.sync_token) == (False, False, "token saved meanwhile")
