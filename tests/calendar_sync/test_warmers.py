"""The dashboards' warmer: whose it warms, and what that saves the first visitor."""

from __future__ import annotations

import datetime as dt

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calendar_sync import warmers
from calendar_sync.models import GoogleAccount
from calendar_sync.services import CalendarService, DashboardService
from logging_pkg.instrumentation.cache_warming.run import warm_caches
from logging_pkg.instrumentation.cache_warming.warmers import registered
from logging_pkg.testing import LogEvents, assert_event
from tests.calendar_sync.conftest import already_active

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def user() -> User:
    user = User.objects.create_user("anna")
    GoogleAccount.objects.create(user=user, google_id="g", email="a@example.com")
    return user


def test_the_first_request_takes_two_queries_instead_of_five(client, user, log_events: LogEvents):
    """Cold and warm side by side, as the requests' own events tell it."""
    client.force_login(user)
    already_active(user)
    client.get("/dashboard/")
    cache.clear()
    (report,) = warm_caches()
    client.get("/dashboard/")

    cold, warm = log_events.named("http.request_finished")
    assert (cold["query_count"], warm["query_count"]) == (5, 2)
    assert (report.warmed, report.outcome) == (1, "finished")
    # Which users, and three queries for the dashboard.
    assert_event(log_events, "cache.warm_finished", warmer="dashboards", query_count=4, warmed_count=1)


def test_it_is_found_without_being_imported(user):
    """As every warmers.py of an installed application."""
    assert [one.name for one in registered()] == ["dashboards"]


def test_those_who_were_here_lately_come_first_and_others_not_at_all(user, monkeypatch: pytest.MonkeyPatch):
    """Signed in or created within 30 days, active, with an account; no more than WARMED_USERS."""
    now = timezone.now()
    old = now - dt.timedelta(days=31)

    def add(name: str, *, account: bool = True, **fields: object) -> User:
        made = User.objects.create_user(name, **fields)
        if account:
            GoogleAccount.objects.create(user=made, google_id=name, email=f"{name}@example.com")
            GoogleAccount.objects.create(user=made, google_id=f"{name} 2", email=f"{name}2@example.com")
        return made

    here = add("here", date_joined=old, last_login=now)
    yesterday = add("yesterday", date_joined=old, last_login=now - dt.timedelta(days=1))
    add("gone", date_joined=old, last_login=old)
    add("never", date_joined=old)
    add("locked", last_login=now, is_active=False)
    add("nothing", last_login=now, account=False)

    def keys(*users: User) -> list[str]:
        return [DashboardService(one).cache_key() for one in users]

    assert [item.key for item in warmers.dashboards()] == keys(here, yesterday, user)
    monkeypatch.setattr(warmers, "WARMED_USERS", 2)
    assert [item.key for item in warmers.dashboards()] == keys(here, yesterday)


def test_a_dashboard_that_changed_is_warmed_again_and_others_are_left(user):
    """A change makes a new key, which is not there."""
    other = User.objects.create_user("ben")
    GoogleAccount.objects.create(user=other, google_id="h", email="b@example.com")
    warm_caches()

    CalendarService.bulk_toggle_calendars(DashboardService(user).read_dashboard().accounts[0].account, True)
    (report,) = warm_caches()

    assert (report.warmed, report.fresh) == (1, 1)


def test_nothing_is_warmed_that_nobody_would_read(user, settings, django_assert_num_queries: DjangoAssertNumQueries):
    """With the cache of dashboards switched off."""
    settings.DASHBOARD_CACHE_S = 0
    with django_assert_num_queries(0):
        (report,) = warm_caches()
    assert report.total == 0
