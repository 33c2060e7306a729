"""Listings that were broken off: what is done is not done again, and in the end the database equals the server."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calendar_sync.fake_google import FakeGoogleServer
from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.sync import sync_calendar, sync_calendar_list
from calendar_sync.sync.targets import EventsTarget
from logging_pkg.testing import assert_event, assert_valid_stream
from tests.calendar_sync.conftest import local_events, server_events
from tests.calendar_sync.processes import MANAGE, ROOT, environment, manage, together

PAGE = 20  # events, as the fixture `google` has it


@contextmanager
def broken_off(google: FakeGoogleServer, pages: int) -> Iterator[None]:
    """The server answers so many pages of events, and then hangs up on whoever asks for more."""
    original = google.application.handle
    answered = 0

    def handle(request):
        nonlocal answered
        if not request.path.endswith("/events"):
            return original(request)
        answered += 1
        return original(request) if answered <= pages else None

    google.application.handle = handle
    try:
        yield
    finally:
        google.application.handle = original


@pytest.fixture
def calendar(account: GoogleAccount, google, calendar_ids, control, log_events) -> Calendar:
    """A calendar of five pages, in the list and not synced yet."""
    control.add_calendar(account.google_id, "large", summary="Large")
    control.mutate("large", add=5 * PAGE - 5)
    sync_calendar_list(account, "command")
    control.clear_ledger()
    log_events.clear()
    return Calendar.objects.get(google_id="large")


def sync(calendar: Calendar):
    """One sync of the calendar as the database has it."""
    (report,) = sync_calendar(Calendar.objects.get(pk=calendar.pk), "command").resources
    return report


def pages_of(control) -> list[int]:
    """How many events each page had that the server has answered."""
    return [entry["item_count"] for entry in control.ledger() if entry["operation"] == "events.list"]


def test_a_full_listing_goes_on_after_its_last_page_and_then_with_what_has_changed(
    calendar, google, control, log_events
):
    """Changes meanwhile to pages that are done, deletions too, arrive in the same sync; no page is fetched again."""
    with broken_off(google, 2):
        assert sync(calendar).error.startswith("ApiUnavailable")
    assert Event.objects.count() == 2 * PAGE
    control.mutate("large", add=2, change=3, delete=4)
    control.clear_ledger()
    log_events.clear()

    report = sync(calendar)

    assert local_events("large") == server_events(control, "large")
    assert report.kind == "full"
    run = assert_event(log_events, "sync.run_finished", kind="full", is_resumed=1, sync_token_expired=0, count=1)
    assert (run["outcome"], run["page_count"], run["api_call_count"]) == ("ok", 4, 4)
    # The three pages that were missing, and one of all that has changed since the first.
    assert pages_of(control) == [PAGE, PAGE, PAGE - 5, 2 + 3 + 4]


def test_an_incremental_listing_goes_on_after_its_last_page(calendar, google, control, log_events):
    """By the sync token it began with and the page it had come to; then from its own new token."""
    sync(calendar)
    control.mutate("large", change=3 * PAGE)
    with broken_off(google, 1):
        assert sync(calendar).error
    stored = Calendar.objects.get(pk=calendar.pk)
    assert stored.sync_token
    assert stored.page_token
    control.mutate("large", delete=3)
    control.clear_ledger()
    log_events.clear()

    report = sync(calendar)

    assert local_events("large") == server_events(control, "large")
    assert report.kind == "incremental"
    assert_event(log_events, "sync.run_finished", kind="incremental", is_resumed=1, sync_token_expired=0, count=1)
    # Of 60 changes 20 are there; three of the others have become deletions, which are the newest changes now.
    assert sum(pages_of(control)) <= 2 * PAGE + 3 + 3


def test_a_listing_that_was_not_broken_off_is_not_resumed(calendar, google, control, log_events):
    """Neither the first sync nor the next; nothing is left of their pages' tokens."""
    sync(calendar)
    sync(calendar)

    assert {run["is_resumed"] for run in log_events.named("sync.run_finished")} == {0}
    assert Calendar.objects.get(pk=calendar.pk).page_token == ""
    assert pages_of(control) == [PAGE, PAGE, PAGE, PAGE, PAGE - 5, 0]


def test_what_changes_after_a_resumed_listing_fails_leaves_its_pages(calendar, google, control, log_events):
    """The listing has ended and is saved; only the news since its first page is still to come."""
    with broken_off(google, 2):
        sync(calendar)
    with broken_off(google, 3):
        assert sync(calendar).error.startswith("ApiUnavailable")
    stored = Calendar.objects.get(pk=calendar.pk)
    assert (bool(stored.sync_token), stored.page_token, stored.last_synced_at) == (True, "", None)
    control.mutate("large", delete=2)
    control.clear_ledger()

    assert sync(calendar).kind == "incremental"
    assert local_events("large") == server_events(control, "large")
    assert pages_of(control) == [2]


@pytest.mark.parametrize("pages", [1, 3])
def test_a_refused_page_token_begins_a_full_listing_again(calendar, google, control, log_events, pages):
    """400: all pages once more, under a new number, so that what is gone from pages seen before is deleted."""
    with broken_off(google, pages):
        sync(calendar)
    Calendar.objects.filter(pk=calendar.pk).update(page_token="garbage")
    control.mutate("large", delete=7)
    control.clear_ledger()
    log_events.clear()

    report = sync(calendar)

    assert report.error == ""
    assert local_events("large") == server_events(control, "large")
    assert report.deleted == 7
    assert pages_of(control) == [None, PAGE, PAGE, PAGE, PAGE, PAGE - 12]
    assert_event(
        log_events, "sync.run_finished", outcome="ok", kind="full", is_resumed=1, sync_token_expired=0, count=1
    )
    assert Calendar.objects.get(pk=calendar.pk).page_token == ""


def test_a_refused_page_token_begins_an_incremental_listing_again(calendar, google, control, log_events):
    """400: from the sync token, which is as good as before."""
    sync(calendar)
    control.mutate("large", change=2)
    Calendar.objects.filter(pk=calendar.pk).update(page_token="garbage")
    control.clear_ledger()
    log_events.clear()

    report = sync(calendar)

    assert (report.kind, report.updated, report.error) == ("incremental", 2, "")
    assert local_events("large") == server_events(control, "large")
    assert pages_of(control) == [None, 2]
    assert_event(log_events, "sync.run_finished", kind="incremental", is_resumed=1, sync_token_expired=0, count=1)


def test_a_sync_token_that_expired_while_a_listing_was_broken_off_leads_to_a_full_one(
    calendar, google, control, log_events
):
    """410 at the page where it goes on: everything is fetched again, and what is gone is deleted."""
    sync(calendar)
    control.mutate("large", change=2 * PAGE)
    with broken_off(google, 1):
        sync(calendar)
    control.mutate("large", delete=5)
    control.expire_sync_tokens(calendar="large")
    log_events.clear()

    report = sync(calendar)

    assert local_events("large") == server_events(control, "large")
    assert (report.kind, report.error, report.deleted) == ("full", "", 5)
    assert_event(log_events, "sync.run_finished", kind="full", is_resumed=1, sync_token_expired=1, count=1)


def test_a_sync_token_that_expires_between_two_pages_leads_to_a_full_listing(calendar, google, control, log_events):
    """410 at the second page of an incremental listing."""
    sync(calendar)
    control.mutate("large", change=2 * PAGE, delete=1)
    original = google.application.handle
    record = google.application.store.account(calendar.account.google_id).calendars["large"]

    def handle(request):
        if "pageToken" in request.query and "syncToken" in request.query:
            record.token_epoch += 1
        return original(request)

    google.application.handle = handle
    report = sync(calendar)

    assert local_events("large") == server_events(control, "large")
    assert (report.kind, report.error) == ("full", "")
    assert_event(log_events, "sync.run_finished", kind="full", is_resumed=0, sync_token_expired=1, count=1)


def test_a_restarted_server_knows_neither_token(calendar, google, control, log_events):
    """400 for the page's, 410 for the sync's: a full listing, and nothing is there twice."""
    sync(calendar)
    control.mutate("large", change=2 * PAGE)
    with broken_off(google, 1):
        sync(calendar)
    control.reset()
    control.add_calendar(calendar.account.google_id, "large", summary="Large")
    control.mutate("large", add=PAGE + 1)

    report = sync(calendar)

    assert (report.kind, report.error) == ("full", "")
    assert local_events("large") == server_events(control, "large")
    assert len(local_events("large")) == PAGE + 1


def test_a_failed_page_leaves_the_pages_before_and_its_own_rows_out(calendar, google, control, monkeypatch):
    """Rows and token of a page are saved together or not at all."""
    original = EventsTarget.apply

    def fails_after_writing(self, items, listing):
        changes = original(self, items, listing)
        if Event.objects.count() > 2 * PAGE:
            raise ValueError
        return changes

    with monkeypatch.context() as patch:
        patch.setattr(EventsTarget, "apply", fails_after_writing)
        with pytest.raises(ValueError, match=r"^$"):
            sync(calendar)
    assert Event.objects.count() == 2 * PAGE
    control.clear_ledger()

    assert sync(calendar).created == 3 * PAGE - 5
    assert pages_of(control) == [PAGE, PAGE, PAGE - 5, 0]


def test_a_list_of_calendars_goes_on_too(account, google, control, calendar_ids):
    """Its pages have 250 calendars each."""
    for number in range(250):
        control.add_calendar(account.google_id, f"c{number:03d}")
    original = google.application.handle
    google.application.handle = lambda request: None if "pageToken" in request.query else original(request)
    assert sync_calendar_list(account, "command").failed
    assert Calendar.objects.count() == 250
    google.application.handle = original
    control.delete_calendar(calendar_ids[0])
    control.clear_ledger()

    (report,) = sync_calendar_list(GoogleAccount.objects.get(), "command").resources

    assert report.error == ""
    server = control.state()["accounts"][0]["calendars"]
    assert set(Calendar.objects.values_list("google_id", flat=True)) == {calendar["id"] for calendar in server}
    assert Calendar.objects.count() == 254
    assert [entry["item_count"] for entry in control.ledger()] == [5, 1]


class TestLag:
    """How far behind Google a run is."""

    def test_it_is_the_age_of_the_latest_change(self, calendar, google, control, log_events, change):
        """Of several the newest counts; both clocks are the same here."""
        sync(calendar)
        change(7200, add=1)
        change(3600, change=1)
        log_events.clear()
        sync(calendar)

        run = assert_event(log_events, "sync.run_finished", count=1)
        assert 3_600_000 <= run["lag_ms"] < 3_660_000

    def test_a_deletion_is_a_change(self, calendar, google, control, log_events, change):
        """Google's tombstones say when; it may be the latest of several changes."""
        sync(calendar)
        change(7200, change=1)
        change(3600, delete=1)
        log_events.clear()
        sync(calendar)

        assert 3_600_000 <= assert_event(log_events, "sync.run_finished", count=1)["lag_ms"] < 3_660_000

    def test_a_run_without_news_has_none(self, calendar, google, log_events):
        """Null, not 0."""
        sync(calendar)
        log_events.clear()
        sync(calendar)

        assert_event(log_events, "sync.run_finished", lag_ms=None, count=1)

    def test_a_clock_of_googles_that_is_ahead_makes_it_zero(self, calendar, google, log_events, change):
        """Never negative."""
        sync(calendar)
        change(-60, add=1)
        log_events.clear()
        sync(calendar)

        assert_event(log_events, "sync.run_finished", lag_ms=0, count=1)

    @pytest.fixture
    def change(self, google, control) -> Callable[..., None]:
        """Have the calendar changed so many seconds ago, by Google's clock."""
        clock = google.application.store.clock

        def make(seconds: float, **changes: int) -> None:
            google.application.store.clock = type(clock)(epoch=lambda: time.time() - seconds)
            control.mutate("large", **changes)

        return make


LOCAL = """
import json
from calendar_sync.models import Event
print(json.dumps(list(Event.objects.values_list("calendar__google_id", "google_id", "etag"))))
"""


def test_a_sync_that_was_killed_is_gone_on_with(fake, control, calendar_ids, shared_database, tmp_path: Path):
    """After kill -9 in mid-listing, and changes, a second run: the copy is right, in fewer calls than from scratch."""
    environ = environment(
        shared_database,
        GOOGLE_CALENDAR_API_ROOT=fake.url,
        GOOGLE_PAGE_SIZE="5",
        GOOGLE_QUOTA_PER_MINUTE="0",
        GOOGLE_QUOTA_PER_USER_MINUTE="0",
        SYNC_LEASE_S="0.5",
        LOGPIPE_SINK="file",
        LOGPIPE_DIRECTORY=str(tmp_path / "logs"),
    )
    manage(environ, "migrate", "-v0")
    manage(environ, "seed_demo", "--accounts", "1")
    before = {calendar: len(control.events(calendar)) for calendar in calendar_ids}
    pages_in_all = sum(math.ceil(events / 5) for events in before.values())
    control.set_latency(50)
    first = subprocess.Popen([*MANAGE, "sync_calendars", "--all"], env=environ, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        # Into the second calendar: one is done, one is under way, three have not been begun.
        while len(pages_of(control)) < math.ceil(max(before.values()) / 5) + 3:
            assert first.poll() is None
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
    finally:
        first.kill()
        assert first.wait() == -signal.SIGKILL
    control.set_latency(0)
    fetched = pages_of(control)
    assert 3 < len(fetched) < pages_in_all
    for calendar in calendar_ids:
        control.mutate(calendar, add=1, change=1, delete=2)
    control.clear_ledger()

    # By the time it has started the dead one's lease has run out.
    out = manage(environ, "sync_calendars", "--all").stdout

    assert "0 busy" in out
    (printed,) = together(shared_database, LOCAL, 1)
    local = [tuple(row) for row in json.loads(printed)]
    server = [(one, item["id"], item["etag"]) for one in calendar_ids for item in control.events(one)]
    assert sorted(local) == sorted(server)
    again = pages_of(control)
    # The page that was under way is fetched once more at most; each calendar then has one of changes at most.
    assert len(again) <= pages_in_all - len(fetched) + 1 + len(calendar_ids)
    assert len(again) < pages_in_all
    changes = 4 * len(calendar_ids)
    assert sum(fetched) + sum(again) <= sum(before.values()) + 5 + changes
    runs = [
        event
        for path in (tmp_path / "logs").glob("*.ndjson")
        for event in assert_valid_stream(path)
        if event["event"] == "sync.run_finished" and event["resource"] == "events"
    ]
    assert [run["is_resumed"] for run in runs].count(1) == 1
    assert {run["outcome"] for run in runs} == {"ok"}
