"""Several workers: what one has synced, or is syncing, is no work for the other."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.sync import sync_account, sync_calendar
from calendar_sync.sync.lease import Lease, SyncInProgress
from logging_pkg.testing import assert_event, assert_no_event
from tests.calendar_sync.conftest import local_events, server_events
from tests.calendar_sync.processes import environment, manage, together


def test_what_another_worker_has_just_synced_is_left_alone(account, google, control, log_events):
    """No call, no run, no verdict on the connection; every resource is skipped."""
    begin = timezone.now()
    sync_account(account, "worker", fresh_after=begin)
    control.clear_ledger()
    log_events.clear()

    report = sync_account(GoogleAccount.objects.get(), "worker", fresh_after=begin)

    assert len(report.skipped) == len(report.resources) == 6
    assert report.failed == []
    assert control.ledger() == []
    assert_no_event(log_events, "sync.run_finished")
    assert_no_event(log_events, "calendar.connection_checked")


def test_what_was_synced_before_is_synced_again(account, google, control):
    """A resource is as fresh as its last sync, and due after it."""
    sync_account(account, "worker")
    control.clear_ledger()

    assert sync_account(GoogleAccount.objects.get(), "worker", fresh_after=timezone.now()).skipped == []
    assert len(control.ledger()) == 6


def test_two_workers_do_a_half_each(account, google, control, calendar_ids, log_events):
    """The second syncs what the first has not come to, and judges the connection by that."""
    begin = timezone.now()
    sync_account(account, "worker")
    Calendar.objects.update(last_synced_at=begin - dt.timedelta(seconds=60))
    for calendar in Calendar.objects.filter(google_id__in=calendar_ids[:2]):
        sync_calendar(calendar, "worker")
    GoogleAccount.objects.update(last_synced_at=begin - dt.timedelta(seconds=60))
    control.clear_ledger()
    log_events.clear()

    report = sync_account(GoogleAccount.objects.get(), "worker", fresh_after=begin)

    assert {one.calendar.google_id for one in report.skipped} == set(calendar_ids[:2])
    assert len(control.ledger()) == 4
    assert_event(log_events, "calendar.connection_checked", status="healthy", resource_count=4, count=1)


def test_what_never_was_synced_is_due(account, google):
    """However fresh everything else has to be."""
    assert sync_account(account, "worker", fresh_after=timezone.now() - dt.timedelta(days=365)).skipped == []


def test_a_failed_sync_does_not_make_fresh(account, google, control):
    """Its last success counts: the next worker tries it."""
    begin = timezone.now()
    sync_account(account, "worker")
    Calendar.objects.update(last_synced_at=begin - dt.timedelta(seconds=60))
    control.fail("serverError", count=5, operation="events.list")
    (failed,) = sync_account(GoogleAccount.objects.get(), "worker", fresh_after=begin).failed

    report = sync_account(GoogleAccount.objects.get(), "worker", fresh_after=begin)

    assert [one.calendar for one in report.resources if not one.skipped] == [failed.calendar]


def test_a_calendar_that_another_worker_has_just_deleted_is_skipped(account, google, monkeypatch):
    """Between the query for an account's calendars and the turn of one of them: nothing fails, the others are synced."""
    sync_account(account, "worker")
    gone, *others = Calendar.objects.all()
    original = Lease._take

    def deleted_by_another(self):
        if self._row == gone:
            Calendar.objects.filter(pk=gone.pk).delete()
        return original(self)

    monkeypatch.setattr(Lease, "_take", deleted_by_another)
    report = sync_account(GoogleAccount.objects.get(), "worker")

    assert [one.calendar for one in report.skipped] == [gone]
    assert report.failed == []
    assert len(report.resources) == 1 + 1 + len(others)


def test_a_lease_of_what_is_gone_is_refused(account):
    """The error names it, and says why."""
    calendar = Calendar.objects.create(account=account, google_id="c", etag="1", summary="Team")
    Calendar.objects.all().delete()
    calendar.pk = 4711

    with pytest.raises(SyncInProgress, match="calendar 4711: another sync has just deleted it"):
        Lease(calendar)


@pytest.mark.django_db
def test_a_hidden_calendar_is_gone_in_an_incremental_list_as_in_a_full_one(account, google, control, calendar_ids):
    """Google's incremental list has hidden calendars, its full one has not: both lead to the same rows."""
    sync_account(account, "worker")
    control.add_calendar(account.google_id, calendar_ids[0], summary="Hidden", hidden=True)

    sync_account(GoogleAccount.objects.get(), "worker")
    incremental = set(Calendar.objects.values_list("google_id", flat=True))
    GoogleAccount.objects.update(sync_token="")
    sync_account(GoogleAccount.objects.get(), "worker")

    assert incremental == set(Calendar.objects.values_list("google_id", flat=True)) == set(calendar_ids[1:])
    control.add_calendar(account.google_id, calendar_ids[0], summary="Shown again")
    sync_account(GoogleAccount.objects.get(), "worker")
    assert local_events(calendar_ids[0]) == server_events(control, calendar_ids[0])


WORK = """
from django.core.management import call_command
call_command("run_sync_worker", interval=60, passes=1)
"""


def test_workers_that_start_together_fetch_everything_once(shared_database, fake, control):
    """Four processes, two accounts: each calendar and each list is fetched by one of them, and none fails."""
    settings = {"GOOGLE_CALENDAR_API_ROOT": fake.url, "GOOGLE_PAGE_SIZE": "10"}
    settings |= {"GOOGLE_QUOTA_PER_MINUTE": "0", "GOOGLE_QUOTA_PER_USER_MINUTE": "0"}
    environ = environment(shared_database, **settings)
    manage(environ, "migrate", "-v0")
    manage(environ, "seed_demo", "--accounts", "2")
    control.set_latency(10)

    together(shared_database, WORK, 4, **settings)

    lists = [entry for entry in control.ledger() if entry["operation"] == "calendarList.list"]
    assert sorted(entry["account"] for entry in lists) == [account["id"] for account in control.state()["accounts"]]
    fetched = sum(entry["item_count"] for entry in control.ledger() if entry["operation"] == "events.list")
    calendars = [calendar for account in control.state()["accounts"] for calendar in account["calendars"]]
    assert fetched == sum(calendar["events"] for calendar in calendars)
    assert {entry["status"] for entry in control.ledger()} == {200}


TAKE = """
from calendar_sync.models import GoogleAccount
from calendar_sync.sync.lease import Lease, SyncInProgress
taken = 0
for row in GoogleAccount.objects.order_by("pk"):
    try:
        Lease(row)
        taken += 1
    except SyncInProgress:
        pass
print(taken)
"""
ACCOUNTS = """
from calendar_sync.models import GoogleAccount
GoogleAccount.objects.bulk_create(GoogleAccount(user_id=1, google_id=str(number)) for number in range(50))
"""


def test_a_lease_has_one_holder_across_processes(shared_database):
    """Four processes try for each of fifty leases at once: each is given once."""
    manage(environment(shared_database), "migrate", "-v0")
    make_user = "from django.contrib.auth.models import User; User.objects.create(pk=1, username='anna')\n"
    together(shared_database, make_user + ACCOUNTS, 1)

    assert sum(int(taken) for taken in together(shared_database, TAKE, 4)) == 50
