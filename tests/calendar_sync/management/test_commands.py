"""sync_calendars, run_sync_worker and seed_demo."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from calendar_sync.encryption import new_key
from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.services import DashboardService
from logging_pkg.testing import assert_event, assert_valid_stream
from tests.calendar_sync.conftest import local_events, server_events

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


@pytest.mark.django_db
def test_seeding_makes_users_that_can_sign_in_and_sync(client, google):
    """Three users with one account each; the tokens are those of a fake server of that size."""
    out, _ = run("seed_demo")

    assert out.count("created") == 3
    assert client.login(username="anna", password="demo-password")
    run("sync_calendars", "--account", str(GoogleAccount.objects.get(email="anna@example.com").pk))
    assert Calendar.objects.count() == 5


@pytest.mark.django_db
def test_seeding_again_changes_nothing(google):
    """Idempotent: rows, passwords and sync state stay."""
    run("seed_demo", "--accounts", "2")
    User.objects.update(last_login=None)
    GoogleAccount.objects.update(sync_token="kept")
    before = list(User.objects.values_list("pk", "password")) + list(
        GoogleAccount.objects.values_list("pk", "sync_token")
    )

    out, _ = run("seed_demo", "--accounts", "2")

    assert out.count("is there") == 2
    assert before == list(User.objects.values_list("pk", "password")) + list(
        GoogleAccount.objects.values_list("pk", "sync_token")
    )


@pytest.mark.django_db
def test_seeding_makes_staff_for_the_console(client, google):
    """A user without an account who may look into it, and one who may not."""
    run("seed_demo", "--accounts", "1", "--staff", "operator")

    assert client.login(username="operator", password="demo-password")
    assert client.get("/console/alerts/").status_code == 200
    assert not GoogleAccount.objects.filter(user__username="operator").exists()
    client.login(username="anna", password="demo-password")
    assert client.get("/console/alerts/").status_code == 403


@pytest.mark.django_db
def test_seeding_for_the_real_google_is_refused(settings):
    """The error says which setting to change, and no row is made."""
    settings.GOOGLE_CALENDAR_API_ROOT = "https://www.googleapis.com/"

    with pytest.raises(CommandError, match="GOOGLE_CALENDAR_API_ROOT"):
        run("seed_demo")
    assert not User.objects.exists()


def test_all_accounts_are_synced_under_one_correlation(account, other_account, google, control, log_events):
    """One line per account; a command is one cause."""
    out, _ = run("sync_calendars", "--all")

    assert [line.split(":")[0] for line in out.splitlines()] == [
        f"{row.pk} {row.email}" for row in (account, other_account)
    ]
    assert len({run["correlation_id"] for run in log_events.named("sync.run_finished")}) == 1
    assert_event(log_events, "sync.run_finished", trigger="command", resource="calendar_list", count=2)
    for name in ("anna.de", "ben.us"):
        calendar = f"{name}#holiday@group.calendar.google.com"
        assert local_events(calendar) == server_events(control, calendar) != {}


def test_one_accounts_failure_does_not_stop_the_next(account, other_account, google):
    """The command ends with an error that counts, after all accounts had their turn."""
    GoogleAccount.objects.filter(pk=account.pk).update(access_token="revoked")
    err = StringIO()

    with pytest.raises(CommandError, match="1 of 2 accounts failed"):
        call_command("sync_calendars", "--all", stdout=StringIO(), stderr=err)

    assert "list of calendars: AccessRevoked" in err.getvalue()
    assert other_account.calendars.count() == 5


def test_an_unknown_account_is_named(account):
    """Nothing is synced when one of the accounts does not exist."""
    with pytest.raises(CommandError, match="no account 4711"):
        run("sync_calendars", "--account", str(account.pk), "--account", "4711")


def test_progress_is_shown_page_by_page_on_demand(account, google, calendar_ids):
    """With --verbosity 2 each page has a line with what its resource has come to; without, only the account has."""
    out, _ = run("sync_calendars", "--all", "--verbosity", "2")

    *progress, last = out.splitlines()
    assert progress[0] == "  list of calendars: page 1, 5 items"
    germany = [line for line in progress if line.startswith("  Holidays in Germany: ")]
    events = Event.objects.filter(calendar__google_id=calendar_ids[0]).count()
    pages = math.ceil(events / 20)
    assert pages > 1
    assert germany == [
        f"  Holidays in Germany: page {page}, {min(page * 20, events)} items" for page in range(1, pages + 1)
    ]
    assert last.startswith(f"{account.pk} anna@example.com: {Event.objects.count()} new, 0 changed")
    out, _ = run("sync_calendars", "--all")
    assert len(out.splitlines()) == 1


def test_an_account_whose_key_is_missing_fails_alone(account, other_account, google, settings):
    """It is named with what to do; the others are synced, and the command ends with an error."""
    settings.TOKEN_ENCRYPTION_KEYS = [new_key()]
    other_account.save_tokens()
    out, err = StringIO(), StringIO()

    with pytest.raises(CommandError, match="1 of 2 accounts failed"):
        call_command("sync_calendars", "--all", stdout=out, stderr=err)

    assert f"account {account.pk}: GoogleAccount.access_token: none of the keys" in err.getvalue()
    assert out.getvalue().startswith(f"{other_account.pk} ")
    assert other_account.calendars.count() == 5


def test_each_pass_of_the_worker_is_a_correlation_of_its_own(account, google, log_events):
    """Two passes, two causes, all by the trigger worker."""
    out, _ = run("run_sync_worker", "--interval", "0", "--passes", "2")

    assert "stopped after 2 passes" in out
    runs = log_events.named("sync.run_finished")
    assert {run["trigger"] for run in runs} == {"worker"}
    assert len({run["correlation_id"] for run in runs}) == 2


@pytest.mark.django_db(transaction=True)
def test_the_worker_warms_the_dashboards_its_syncs_made_old(account, google, django_assert_num_queries):
    """After a pass a user's dashboard is there again, and is the new one."""
    DashboardService(account.user).dashboard()

    run("run_sync_worker", "--interval", "60", "--passes", "1")

    with django_assert_num_queries(0):
        dashboard = DashboardService(account.user).dashboard()
    assert dashboard.calendar_count == 5


def test_the_worker_stops_cleanly_in_the_middle_of_a_back_off(tmp_path: Path, fake, control):
    """A real worker process: asked to stop while it waits to retry, it exits 0, frees the calendar, and logs under its name."""
    environment = {
        **os.environ,
        "DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "GOOGLE_CALENDAR_API_ROOT": fake.url,
        "LOGPIPE_SINK": "file",
        "LOGPIPE_DIRECTORY": str(tmp_path / "logs"),
        "LOGPIPE_SERVICE_NAME": "calendar-sync-worker",
        "GOOGLE_BACKOFF_MAX_S": "3600",
        # Or the next sync would wait, as all that share a quota do after a refusal.
        "GOOGLE_QUOTA_PER_MINUTE": "0",
        "GOOGLE_QUOTA_PER_USER_MINUTE": "0",
    }
    manage = [sys.executable, str(ROOT / "manage.py")]
    for command in (["migrate", "-v0"], ["seed_demo", "--accounts", "1"]):
        subprocess.run([*manage, *command], check=True, env=environment, timeout=120, stdout=subprocess.DEVNULL)
    control.fail("tooManyRequests", retry_after_s=3000)
    worker = subprocess.Popen(
        [*manage, "run_sync_worker", "--interval", "3600"], env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        deadline = time.monotonic() + 60
        while not control.ledger() and time.monotonic() < deadline:
            assert worker.poll() is None
            time.sleep(0.02)
        worker.send_signal(signal.SIGTERM)
        out, _ = worker.communicate(timeout=60)
        assert worker.returncode == 0
        assert "stopped after 1 passes" in out
    finally:
        worker.kill()
        worker.communicate()
    lines = [
        line for path in (tmp_path / "logs").glob("calendar-sync-worker-*.ndjson") for line in assert_valid_stream(path)
    ]
    assert_event(lines, "google_api.call_finished", service_name="calendar-sync-worker", status_code=429)
    control.clear_faults()
    again = subprocess.run(
        [*manage, "sync_calendars", "--all"], env=environment, timeout=120, capture_output=True, text=True, check=False
    )
    assert "0 busy" in again.stdout
