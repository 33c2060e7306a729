"""run_sync_worker: passes, syncs that are asked for in between, lateness, stopping."""

from __future__ import annotations

import datetime as dt
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from calendar_sync.encryption import new_key
from calendar_sync.management.commands import run_sync_worker
from calendar_sync.management.commands.run_sync_worker import _Worker
from calendar_sync.models import Calendar, GoogleAccount, PushChannel
from calendar_sync.sync import request_sync, sync_account
from calendar_sync.sync.lease import Lease
from logging_pkg import current_traceparent, new_correlation
from logging_pkg.context import parse_traceparent
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.testing import LogEvents, assert_event, assert_no_event
from tests.calendar_sync.conftest import local_events, server_events
from tests.calendar_sync.processes import MANAGE, ROOT, environment, manage, together

HOUR = 3600.0


class Waits(threading.Event):
    """A worker's stop signal. Each of its waits runs the next step in place of the time; after the last it is set."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self._steps = list(steps)
        self.seconds: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        self.seconds.append(timeout or 0.0)
        if self._steps:
            self._steps.pop(0)()
        else:
            self.set()
        return self.is_set()


def nothing() -> None:
    """A step in which nothing happens."""


@pytest.fixture
def synced(account, google, control, log_events) -> GoogleAccount:
    """The first account, synced."""
    sync_account(account, "command")
    control.clear_ledger()
    log_events.clear()
    return GoogleAccount.objects.get()


def runs(events: LogEvents, **fields: object) -> list[dict]:
    """The sync runs with these fields."""
    return [run for run in events.named("sync.run_finished") if fields.items() <= run.items()]


class TestRequests:
    """Syncs that are asked for."""

    def test_a_sync_that_was_asked_for_is_done_between_two_passes(self, synced, control, calendar_ids, log_events):
        """Under the correlation and below the span it was asked under; the pass's own is another."""
        control.mutate(calendar_ids[0], add=1)
        calendar = Calendar.objects.get(google_id=calendar_ids[0])
        with new_correlation():
            cause = current_traceparent()
        worker = _Worker(HOUR, Waits(nothing, lambda: request_sync(Calendar, calendar.pk, cause), nothing))

        assert worker.work(None) == 1

        (run,) = runs(log_events, trigger="push")
        assert (run["correlation_id"], run["parent_span_id"]) == parse_traceparent(cause)
        assert run["calendar_hash"] == account_hash_of(calendar_ids[0])
        assert {other["correlation_id"] for other in runs(log_events, trigger="worker")}.isdisjoint(
            {run["correlation_id"]}
        )
        assert local_events(calendar_ids[0]) == server_events(control, calendar_ids[0])

    def test_the_worker_looks_for_requests_every_second(self, synced):
        """It waits no longer, and never past its next pass."""
        waits = Waits(nothing, nothing)
        _Worker(HOUR, waits).work(None)
        assert waits.seconds == [1.0] * 3

        short = Waits()
        _Worker(0.5, short).work(2)
        assert all(0 < seconds <= 0.5 for seconds in short.seconds)

    def test_a_list_of_calendars_can_be_asked_for(self, synced, control, log_events):
        """Its sync has no calendar's."""
        control.add_calendar(synced.google_id, "new", summary="New")
        request_sync(GoogleAccount, synced.pk, "")

        _Worker(HOUR, Waits())._sync_requested()

        assert_event(log_events, "sync.run_finished", trigger="push", resource="calendar_list", count=1)
        assert len(log_events.named("sync.run_finished")) == 1
        assert Calendar.objects.filter(google_id="new").exists()

    def test_a_request_does_not_wait_for_the_end_of_a_long_pass(self, synced, other_account, control, log_events):
        """Between two accounts it is looked for, too; the pass then goes on under its own correlation."""
        calendar = Calendar.objects.first()
        request_sync(Calendar, calendar.pk, "")

        _Worker(0, threading.Event()).work(1)

        order = [(run["trigger"], run["account_hash"]) for run in log_events.named("sync.run_finished")]
        own, other = account_hash_of(synced.google_id), account_hash_of(other_account.google_id)
        assert order == [("worker", own)] * 6 + [("push", own)] + [("worker", other)] * 6
        assert len({run["correlation_id"] for run in runs(log_events, trigger="worker")}) == 1

    def test_a_request_for_what_is_being_synced_is_made_again(self, synced, control, calendar_ids, log_events):
        """The sync under way may have read before the change; under the same cause it is done when that has ended."""
        calendar = Calendar.objects.get(google_id=calendar_ids[0])
        lease = Lease(calendar)
        with new_correlation():
            cause = current_traceparent()
        request_sync(Calendar, calendar.pk, cause)
        worker = _Worker(HOUR, Waits())

        worker._sync_requested()
        assert runs(log_events) == []
        lease.release()
        worker._sync_requested()

        (run,) = runs(log_events, trigger="push")
        assert (run["correlation_id"], run["parent_span_id"]) == parse_traceparent(cause)

    def test_a_request_that_a_stop_breaks_off_is_left_for_another_worker(self, synced, control, calendar_ids):
        """With its cause; the calendar is free."""
        calendar = Calendar.objects.get(google_id=calendar_ids[0])
        request_sync(Calendar, calendar.pk, "cause")
        control.fail("tooManyRequests", retry_after_s=20, operation="events.list")
        worker = _Worker(HOUR, Waits())

        worker._try(worker._sync_requested)

        calendar.refresh_from_db()
        assert (calendar.requested_by, calendar.lease_id) == ("cause", None)

    def test_a_request_without_a_readable_cause_is_one_of_its_own(self, synced, log_events):
        """An empty or damaged traceparent starts a correlation."""
        request_sync(Calendar, Calendar.objects.first().pk, "garbage")

        with new_correlation() as outer:
            _Worker(HOUR, Waits())._sync_requested()

        (run,) = runs(log_events, trigger="push")
        assert run["correlation_id"] != outer
        assert run["parent_span_id"] is None

    def test_one_accounts_missing_key_stops_no_others_request(self, synced, other_account, settings, log_events):
        """It is logged with its cause, and the next one is done."""
        request_sync(GoogleAccount, synced.pk, "")
        request_sync(GoogleAccount, other_account.pk, "")
        settings.TOKEN_ENCRYPTION_KEYS = [new_key()]
        other_account.save_tokens()

        _Worker(HOUR, Waits())._sync_requested()

        (run,) = runs(log_events, trigger="push")
        assert run["account_hash"] == account_hash_of(other_account.google_id)
        assert_event(log_events, "log.message_recorded", level="error", count=1)


@pytest.mark.django_db(transaction=True)
class TestPush:
    """From a change at the server to a sync: channel, notification, request, worker. A real server listens."""

    @pytest.fixture
    def watched(self, live_server, synced, settings, control, log_events) -> GoogleAccount:
        """An account whose channels are open, their first messages taken."""
        settings.GOOGLE_PUSH_URL = live_server.url
        worker = _Worker(HOUR, Waits())
        worker._watch_all()
        channels = control.wait_for_notifications()
        assert len(channels) == 6
        assert {(channel["delivered"], channel["failed"]) for channel in channels} == {(1, 0)}
        control.clear_ledger()
        log_events.clear()
        return synced

    def notified(self, control, events: LogEvents) -> list[dict]:
        """The requests of the notifications delivered so far."""
        control.wait_for_notifications()
        return events.named("http.request_finished")

    def test_a_change_leads_to_a_sync_under_the_notifications_correlation(
        self, watched, control, calendar_ids, log_events
    ):
        """One notification, one request for a sync, one run by the trigger push; the copy is right."""
        control.mutate(calendar_ids[0], change=1)
        (request,) = self.notified(control, log_events)
        assert request["status_code"] == 204
        _Worker(HOUR, Waits())._sync_requested()

        (run,) = runs(log_events)
        assert (run["trigger"], run["resource"], run["kind"]) == ("push", "events", "incremental")
        assert run["correlation_id"] == request["correlation_id"]
        assert run["parent_span_id"] == request["span_id"]
        assert run["updated_count"] == 1
        calls = log_events.named("google_api.call_finished")
        assert {call["correlation_id"] for call in calls} == {request["correlation_id"]}
        assert local_events(calendar_ids[0]) == server_events(control, calendar_ids[0])

    def test_an_opened_channel_asks_for_nothing(self, watched, log_events):
        """Its first message says so only."""
        _Worker(HOUR, Waits())._sync_requested()

        assert runs(log_events) == []

    def test_several_notifications_are_one_sync(self, watched, control, calendar_ids, log_events):
        """Under the first one's correlation."""
        control.mutate(calendar_ids[0], add=2, change=2, delete=1)
        requests = self.notified(control, log_events)
        assert len(requests) == 5

        _Worker(HOUR, Waits())._sync_requested()

        (run,) = runs(log_events)
        assert run["correlation_id"] == requests[0]["correlation_id"]
        assert local_events(calendar_ids[0]) == server_events(control, calendar_ids[0])

    def test_a_notification_during_the_sync_leads_to_another(self, watched, google, control, calendar_ids, log_events):
        """What changed after the listing was read is fetched by the next round."""
        original = google.application.handle
        late: list[dict] = []

        def changes_after_the_answer(request):
            answer = original(request)
            if request.path.endswith("/events") and not late:
                late.append(control.mutate(calendar_ids[0], add=1))
                control.wait_for_notifications()
            return answer

        control.mutate(calendar_ids[0], change=1)
        self.notified(control, log_events)
        google.application.handle = changes_after_the_answer
        worker = _Worker(HOUR, Waits())
        worker._sync_requested()
        assert local_events(calendar_ids[0]) != server_events(control, calendar_ids[0])

        worker._sync_requested()

        assert [run["created_count"] + run["updated_count"] for run in runs(log_events)] == [1, 1]
        assert len({run["correlation_id"] for run in runs(log_events)}) == 2
        assert local_events(calendar_ids[0]) == server_events(control, calendar_ids[0])

    def test_a_new_calendar_is_told_of_by_the_lists_channel(self, watched, control, log_events):
        """Its row is there after the list's sync; the next pass opens its channel, and closes that of one that went."""
        control.add_calendar(watched.google_id, "new", summary="New")
        self.notified(control, log_events)
        worker = _Worker(HOUR, Waits())
        worker._sync_requested()

        assert [run["resource"] for run in runs(log_events)] == ["calendar_list"]
        worker._watch_all()
        assert PushChannel.objects.filter(calendar__google_id="new").count() == 1

    def test_a_channel_whose_row_is_gone_is_answered_404(self, watched, control, calendar_ids, log_events):
        """Switched off past the worker: Google is told not to go on, and no sync is asked for."""
        PushChannel.objects.filter(calendar__google_id=calendar_ids[0]).delete()

        control.mutate(calendar_ids[0], change=1)

        (request,) = self.notified(control, log_events)
        assert request["status_code"] == 404
        _Worker(HOUR, Waits())._sync_requested()
        assert runs(log_events) == []

    def test_a_switched_off_calendar_is_told_of_no_more(self, watched, control, calendar_ids, log_events):
        """After the next pass its channel is closed."""
        Calendar.objects.filter(google_id=calendar_ids[0]).update(enabled=False)
        _Worker(HOUR, Waits())._watch_all()
        log_events.clear()

        control.mutate(calendar_ids[0], change=1)

        assert self.notified(control, log_events) == []


class TestPasses:
    """What a pass does."""

    def test_a_pass_opens_channels(self, synced, settings, control):
        """Where there is an address for Google."""
        settings.GOOGLE_PUSH_URL = "http://127.0.0.1:9"

        _Worker(0, threading.Event()).work(1)

        assert len(control.channels()) == 6

    def test_a_channel_that_cannot_be_opened_is_logged_and_the_next_account_has_its_turn(
        self, synced, other_account, settings, control, log_events
    ):
        """With the account and the kind of the failure."""
        settings.GOOGLE_PUSH_URL = "http://127.0.0.1:9"
        control.fail("quotaExceeded", operation="calendarList.watch", account=synced.google_id)

        _Worker(0, threading.Event()).work(1)

        assert {channel["account"] for channel in control.channels()} == {other_account.google_id}
        assert_event(log_events, "log.message_recorded", logger=run_sync_worker.__name__, level="warning", count=1)

    def test_one_account_whose_key_is_missing_stops_no_other(
        self, synced, other_account, settings, control, log_events
    ):
        """It is logged; nothing is asked for it."""
        settings.TOKEN_ENCRYPTION_KEYS = [new_key()]
        other_account.save_tokens()

        _Worker(0, threading.Event()).work(1)

        assert {run["account_hash"] for run in runs(log_events)} == {account_hash_of(other_account.google_id)}
        assert_event(log_events, "log.message_recorded", logger=run_sync_worker.__name__, level="error")
        assert {entry["account"] for entry in control.ledger()} == {other_account.google_id}

    def test_an_account_that_is_taken_away_during_a_pass_is_passed_over(self, synced, other_account):
        """Each is read when its turn comes."""
        accounts = _Worker(0, threading.Event())._accounts()

        assert next(accounts) == synced
        GoogleAccount.objects.filter(pk=other_account.pk).delete()
        assert list(accounts) == []

    def test_a_failing_database_is_logged_and_the_next_pass_tries_again(self, synced, monkeypatch, log_events):
        """What failed is left out; the rest of the pass, and the worker, go on."""

        def fails(*_: object) -> None:
            raise OperationalError("the database is away")

        with monkeypatch.context() as patch:
            patch.setattr(run_sync_worker, "late_calendars", fails)
            _Worker(0, threading.Event()).work(1)
        assert_event(log_events, "log.message_recorded", level="error", count=1)
        assert_no_event(log_events, "sync.schedule_checked")

        _Worker(0, threading.Event()).work(1)
        assert_event(log_events, "sync.schedule_checked", count=1)

    def test_what_another_worker_has_synced_within_half_the_interval_is_its_work(self, synced, control, log_events):
        """The second worker's pass asks nothing; half an interval later everything is due again."""
        _Worker(60, Waits()).work(1)
        assert control.ledger() == []

        long_ago = timezone.now() - dt.timedelta(seconds=31)
        for model in (GoogleAccount, Calendar):
            model.objects.update(last_synced_at=long_ago)
        _Worker(60, Waits()).work(1)
        assert len(control.ledger()) == 6


class TestSchedule:
    """Whether the calendars are synced as often as they should be, told after each pass."""

    def test_after_a_pass_nothing_is_late(self, account, google, log_events):
        """The event has the interval, what counts as late (three of them), how many calendars, and the oldest sync."""
        _Worker(30, Waits()).work(1)

        event = assert_event(log_events, "sync.schedule_checked", count=1, interval_s=30, threshold_s=90)
        assert (event["calendar_count"], event["late_count"], event["late_calendars"]) == (5, 0, [])
        assert 0 <= event["oldest_age_s"] < 60
        assert event["correlation_id"] == log_events.named("sync.run_finished")[0]["correlation_id"]

    def test_late_calendars_are_counted_and_named_by_their_hash(self, synced, control, calendar_ids, log_events):
        """Those that are off are neither counted nor late; the oldest sync is the furthest back."""
        old = timezone.now() - dt.timedelta(seconds=1000)
        Calendar.objects.filter(google_id__in=calendar_ids[:3]).update(last_synced_at=old)
        Calendar.objects.filter(google_id=calendar_ids[2]).update(enabled=False)

        _Worker(30, Waits())._check_schedule()

        event = assert_event(log_events, "sync.schedule_checked", count=1, calendar_count=4, late_count=2)
        assert set(event["late_calendars"]) == {account_hash_of(name) for name in calendar_ids[:2]}
        assert 1000 <= event["oldest_age_s"] < 1060
        assert not any(name in str(event) for name in calendar_ids)

    def test_of_many_late_calendars_twenty_are_named(self, account, log_events):
        """All are counted."""
        GoogleAccount.objects.update(created_at=timezone.now() - dt.timedelta(days=1))
        Calendar.objects.bulk_create(
            Calendar(account=account, google_id=f"c{number}", etag="1", summary="c") for number in range(25)
        )

        _Worker(30, Waits())._check_schedule()

        event = assert_event(log_events, "sync.schedule_checked", count=1, late_count=25, oldest_age_s=None)
        assert len(set(event["late_calendars"])) == 20

    def test_without_calendars_there_is_no_age(self, account, log_events):
        """Null, as nothing has been synced yet."""
        _Worker(30, Waits())._check_schedule()

        assert_event(log_events, "sync.schedule_checked", count=1, calendar_count=0, late_count=0, oldest_age_s=None)


class TestStopping:
    """A stop ends every wait."""

    def test_a_stop_ends_the_wait_for_a_turn_under_the_quota(self, account, google, settings, control, log_events):
        """No other call is made, the resource is free, and nothing of the pass is begun."""
        settings.GOOGLE_QUOTA_PER_MINUTE = 1
        stop = Waits()

        assert _Worker(HOUR, stop).work(None) == 1

        assert [entry["operation"] for entry in control.ledger()] == ["calendarList.list"]
        assert len(stop.seconds) == 1
        assert 50 < stop.seconds[0] <= 60
        assert not Calendar.objects.exclude(lease_id=None).exists()
        assert_no_event(log_events, "sync.schedule_checked")

    def test_a_stop_ends_the_wait_to_try_again(self, account, google, control):
        """A Retry-After is waited for as a turn is."""
        control.fail("tooManyRequests", retry_after_s=20)
        stop = Waits()

        assert _Worker(HOUR, stop).work(None) == 1

        assert len(control.ledger()) == 1
        assert 20 <= stop.seconds[0] < 21
        assert GoogleAccount.objects.get().lease_id is None

    def test_a_stop_ends_the_wait_of_a_channel_that_is_being_opened(self, synced, settings, control):
        """Its row goes with it."""
        settings.GOOGLE_PUSH_URL = "http://127.0.0.1:9"
        control.fail("serverError", retry_after_s=20, operation="calendarList.watch")
        stop = Waits()
        worker = _Worker(HOUR, stop)

        worker._try(worker._watch_all)

        assert 20 <= stop.seconds[0] < 21
        assert not PushChannel.objects.exists()

    def test_a_stop_during_a_pass_ends_it_before_the_next_account(self, synced, other_account, google, control):
        """The account under way is finished."""
        stop = threading.Event()
        original = google.application.handle

        def stops(request):
            stop.set()
            return original(request)

        google.application.handle = stops
        assert _Worker(0, stop).work(None) == 1

        assert {entry["account"] for entry in control.ledger()} == {synced.google_id}
        assert len(control.ledger()) == 6

    def test_a_stopped_worker_leaves_the_signals_as_they_were(self, account, google):
        """The command can be called from a program that handles them itself."""
        before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        call_command("run_sync_worker", interval=0, passes=1, stdout=StringIO())
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


ASK = """
import os
from calendar_sync.models import Calendar
from calendar_sync.sync import request_sync
request_sync(Calendar, Calendar.objects.get(google_id=os.environ["CALENDAR"]).pk, "")
"""


def test_a_worker_process_does_what_another_process_asks_for(fake, control, calendar_ids, tmp_path: Path):
    """Long before its next pass: a real worker, and a database that a web server would write to."""
    database = f"sqlite:///{tmp_path / 'db.sqlite3'}"
    environ = environment(database, GOOGLE_CALENDAR_API_ROOT=fake.url, CALENDAR=calendar_ids[0])
    manage(environ, "migrate", "-v0")
    manage(environ, "seed_demo", "--accounts", "1")
    worker = subprocess.Popen([*MANAGE, "run_sync_worker", "--interval", "3600"], env=environ, cwd=ROOT)
    try:
        wait_for(worker, lambda: len(control.ledger()) >= 6)
        control.clear_ledger()
        control.mutate(calendar_ids[0], add=1)

        together(database, ASK, 1, CALENDAR=calendar_ids[0])

        wait_for(worker, lambda: bool(control.ledger()))
        assert [(entry["operation"], entry["item_count"]) for entry in control.ledger()] == [("events.list", 1)]
        worker.terminate()
        assert worker.wait(timeout=60) == 0
    finally:
        worker.kill()
        worker.wait()


def wait_for(worker: subprocess.Popen[bytes], condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert worker.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
