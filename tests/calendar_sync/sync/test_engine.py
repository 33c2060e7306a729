"""The sync engine against the fake server: afterwards the database equals the server."""

from __future__ import annotations

import pytest
from django.db import connection

from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.sync import sync_account
from calendar_sync.sync.lease import Lease
from calendar_sync.sync.targets import EventsTarget
from logging_pkg import new_correlation
from logging_pkg.testing import assert_event
from tests.calendar_sync.conftest import local_events, server_events

pytestmark = pytest.mark.django_db


def assert_equal(control, calendar_ids) -> None:
    for calendar in calendar_ids:
        assert local_events(calendar) == server_events(control, calendar)


def sync(account: GoogleAccount):
    account.refresh_from_db()
    return sync_account(account, "command")


def test_the_first_sync_copies_everything(account, google, control, calendar_ids, log_events):
    """All calendars and events, page by page; one full run per resource, with its counts."""
    report = sync(account)

    assert report.failed == report.skipped == []
    assert sorted(Calendar.objects.values_list("google_id", flat=True)) == sorted(calendar_ids)
    assert_equal(control, calendar_ids)
    total = Event.objects.count()
    assert (report.events.created, report.events.updated, report.events.unchanged) == (total, 0, 0)
    runs = log_events.named("sync.run_finished")
    assert [run["resource"] for run in runs] == ["calendar_list"] + ["events"] * 5
    assert {(run["kind"], run["trigger"], run["outcome"]) for run in runs} == {("full", "command", "ok")}
    assert sum(run["created_count"] for run in runs[1:]) == total
    assert all(run["page_count"] == run["api_call_count"] >= 1 for run in runs)
    assert max(run["page_count"] for run in runs) > 1


def test_the_second_sync_brings_only_changes(account, google, control, calendar_ids, log_events):
    """Added, changed and deleted events arrive by sync token; each run says how many."""
    sync(account)
    log_events.clear()
    control.mutate(calendar_ids[0], add=2, change=3, delete=4)

    report = sync(account)

    assert_equal(control, calendar_ids)
    events = report.events
    assert (events.created, events.updated, events.deleted, events.unchanged) == (2, 3, 4, 0)
    assert {run["kind"] for run in log_events.named("sync.run_finished")} == {"incremental"}
    assert_event(log_events, "sync.run_finished", created_count=2, updated_count=3, deleted_count=4, count=1)


def test_nothing_new_changes_nothing(account, google, control, calendar_ids, log_events):
    """A sync without news makes one call per resource and touches no event row."""
    sync(account)
    before = list(Event.objects.order_by("pk").values_list("pk", "etag"))
    log_events.clear()

    report = sync(account)

    assert list(Event.objects.order_by("pk").values_list("pk", "etag")) == before
    assert (report.events.created, report.events.updated, report.events.deleted) == (0, 0, 0)
    assert {run["api_call_count"] for run in log_events.named("sync.run_finished")} == {1}


def test_an_expired_token_leads_to_a_full_sync(account, google, control, calendar_ids, log_events):
    """410: everything is fetched again; what the server no longer has is deleted; what it still has is unchanged."""
    sync(account)
    kept = Event.objects.filter(calendar__google_id=calendar_ids[0]).count() - 3
    log_events.clear()
    control.mutate(calendar_ids[0], delete=3, add=1)
    control.expire_sync_tokens(calendar=calendar_ids[0])

    report = sync(account)

    assert report.failed == []
    assert_equal(control, calendar_ids)
    run = assert_event(log_events, "sync.run_finished", sync_token_expired=1, count=1)
    assert (run["kind"], run["created_count"], run["deleted_count"], run["unchanged_count"]) == ("full", 1, 3, kept)
    assert run["outcome"] == "ok"


def test_a_restarted_server_is_synced_in_full_again(account, google, control, calendar_ids):
    """A server that knows none of the tokens: the copy is right afterwards, and nothing is there twice."""
    sync(account)
    control.reset()
    control.mutate(calendar_ids[1], delete=2)

    assert sync(account).failed == []
    assert_equal(control, calendar_ids)


def test_passing_faults_are_ridden_out(account, google, settings, control, calendar_ids):
    """429, 403, 5xx and dropped connections in between: no failure, nothing doubled, nothing missing."""
    settings.GOOGLE_MAX_ATTEMPTS = 10
    for operation in ("calendarList.list", "events.list"):
        for kind in ("tooManyRequests", "rateLimitExceeded", "serverError", "drop"):
            control.fail(kind, count=2, operation=operation)

    assert sync(account).failed == []
    assert_equal(control, calendar_ids)


def test_one_calendars_failure_does_not_stop_the_others(account, google, control, calendar_ids, log_events):
    """The failed calendar keeps its old copy and its error; the next sync makes it good and clears the error."""
    sync(account)
    control.mutate(calendar_ids[0], add=1)
    control.mutate(calendar_ids[4], add=1)
    log_events.clear()
    control.fail("serverError", count=5, operation="events.list")

    report = sync(account)

    (failed,) = report.failed
    assert failed.calendar.last_error == ""
    stored = Calendar.objects.get(pk=failed.calendar.pk)
    assert stored.last_error.startswith("ApiUnavailable: events.list: 503 backendError")
    assert_event(
        log_events,
        "sync.run_finished",
        outcome="failed",
        error_type=lambda name: "ApiUnavailable" in (name or ""),
        count=1,
    )
    assert len(log_events.named("sync.run_finished")) == 6
    assert sync(account).failed == []
    assert_equal(control, calendar_ids)
    assert not Calendar.objects.exclude(last_error="").exists()


def test_a_sync_that_fails_midway_leaves_whole_pages_and_the_next_goes_on_after_them(
    account, google, control, calendar_ids, log_events
):
    """What a full sync had when it died on its second page is not fetched again; what is gone meanwhile is deleted."""
    sync_only = calendar_ids[2]
    sync(account)
    Event.objects.all().delete()
    Calendar.objects.update(sync_token="", enabled=False)
    Calendar.objects.filter(google_id=sync_only).update(enabled=True)
    control.clear_ledger()
    original = google.application.handle

    def dies_after_one_page(request):
        if sum(entry["operation"] == "events.list" for entry in control.ledger()) >= 1 and "/events" in request.path:
            return None
        return original(request)

    google.application.handle = dies_after_one_page
    assert len(sync(account).failed) == 1
    assert Event.objects.count() == 20
    assert Calendar.objects.get(google_id=sync_only).sync_token == ""

    google.application.handle = original
    control.clear_ledger()
    control.mutate(sync_only, delete=2)
    log_events.clear()
    report = sync(account)

    assert report.failed == []
    assert report.events.unchanged == 0
    run = assert_event(log_events, "sync.run_finished", resource="events", is_resumed=1, kind="full", count=1)
    assert run["page_count"] == len([entry for entry in control.ledger() if entry["operation"] == "events.list"])
    assert_event(log_events, "google_api.call_finished", operation="events.list", page=2)
    sync(account)
    assert_equal(control, [sync_only])


def test_a_revoked_account_stops_at_once(account, google, control, log_events):
    """401 on the list: no calendar is tried, and the account says why."""
    GoogleAccount.objects.update(access_token="revoked")

    report = sync(account)

    assert [resource.calendar for resource in report.resources] == [None]
    account.refresh_from_db()
    assert "connect the account again" in account.last_error
    assert_event(log_events, "sync.run_finished", outcome="failed", resource="calendar_list", count=1)


def test_an_account_revoked_between_calendars_stops_there(account, google, control, calendar_ids):
    """The first calendar's 401 is the last call."""
    sync(account)
    original = google.application.handle

    def revoked_for_events(request):
        if "/events" in request.path:
            request.headers["authorization"] = "Bearer revoked"
        return original(request)

    google.application.handle = revoked_for_events
    report = sync(account)

    assert len(report.resources) == 2
    assert report.failed[0].error.startswith("AccessRevoked")


def test_calendars_that_are_off_are_not_synced(account, google, control, calendar_ids):
    """Only their entry in the list is; switched on again, they catch up from their token."""
    sync(account)
    Calendar.objects.filter(google_id=calendar_ids[0]).update(enabled=False)
    control.mutate(calendar_ids[0], add=1)
    control.clear_ledger()

    sync(account)
    assert len(control.ledger()) == 5
    Calendar.objects.update(enabled=True)
    report = sync(account)

    assert report.events.created == 1
    assert_equal(control, calendar_ids)


def test_calendars_come_and_go_with_the_list(account, google, control, calendar_ids):
    """A new calendar is synced in the same run; a deleted one goes with its events; a renamed one keeps its switch."""
    sync(account)
    Calendar.objects.filter(google_id=calendar_ids[1]).update(enabled=False)
    control.delete_calendar(calendar_ids[0])
    control.add_calendar(account.google_id, "team", summary="Team")
    control.mutate("team", add=3)
    control.add_calendar(account.google_id, calendar_ids[1], summary="Renamed")

    sync(account)

    assert not Event.objects.filter(calendar__google_id=calendar_ids[0]).exists()
    assert len(local_events("team")) == 3
    renamed = Calendar.objects.get(google_id=calendar_ids[1])
    assert (renamed.summary, renamed.enabled) == ("Renamed", False)


def test_a_full_list_deletes_calendars_the_server_no_longer_has(account, google, control, calendar_ids):
    """Also without a tombstone: after 410 the list is compared as a whole."""
    sync(account)
    control.delete_calendar(calendar_ids[0])
    control.expire_sync_tokens(account=account.google_id)

    sync(account)

    assert not Calendar.objects.filter(google_id=calendar_ids[0]).exists()


def test_a_calendar_somebody_else_is_syncing_is_skipped(account, google, control, calendar_ids, log_events):
    """No run, no call and no change for it; the others are synced."""
    sync(account)
    control.mutate(calendar_ids[0], add=1)
    busy = Calendar.objects.get(google_id=calendar_ids[0])
    lease = Lease(busy)
    log_events.clear()

    report = sync(account)

    assert [resource.calendar for resource in report.skipped] == [busy]
    assert len(log_events.named("sync.run_finished")) == 5
    lease.release()
    assert sync(account).events.created == 1


def test_a_page_takes_the_same_number_of_queries_at_any_size(
    account, google, settings, control, calendar_ids, log_events
):
    """Statements per page do not grow with the events on it (SQLite's limit on parameters splits very large ones)."""
    counts = {}
    for size in (10, 40):
        settings.GOOGLE_PAGE_SIZE = size
        Calendar.objects.all().delete()
        GoogleAccount.objects.update(sync_token="")
        log_events.clear()
        sync(account)
        runs = [run for run in log_events.named("sync.run_finished") if run["resource"] == "events"]
        counts[size] = {(run["query_count"] - 2) / run["page_count"] for run in runs}
    assert max(counts[40]) <= max(counts[10]) + 1


def test_request_and_sync_and_calls_share_a_correlation(account, google, log_events):
    """Everything one cause set off carries its correlation_id; calls name the sync they are part of."""
    with new_correlation() as correlation_id:
        sync(account)

    runs, calls = log_events.named("sync.run_finished"), log_events.named("google_api.call_finished")
    assert {event["correlation_id"] for event in [*runs, *calls]} == {correlation_id}
    assert {call["sync_id"] for call in calls} == {run["span_id"] for run in runs}
    assert len({run["span_id"] for run in runs}) == 6


@pytest.mark.parametrize("damage", [{"start": None}, {"updated": "yesterday"}, {"etag": None}])
def test_an_item_that_cannot_be_read_fails_its_calendar_only(account, google, control, calendar_ids, damage):
    """The error names what was wrong; other calendars are complete."""
    record = next(iter(google.application.store.accounts[account.google_id].calendars[calendar_ids[0]].events.values()))
    record.resource.update(damage)
    for name, value in damage.items():
        if value is None:
            del record.resource[name]

    report = sync(account)

    assert [resource.calendar.google_id for resource in report.failed] == [calendar_ids[0]]
    assert report.failed[0].error.startswith("UnexpectedResource: events.list")
    assert_equal(control, calendar_ids[1:])


def test_timed_events_keep_their_moment(account, google, control, calendar_ids, google_client):
    """An event with an offset is stored as that instant; an all-day one as midnights in UTC."""
    google_client.insert_event(
        calendar_ids[0],
        {
            "id": "timed1",
            "summary": "Timed",
            "location": "Room 1",
            "start": {"dateTime": "2026-03-01T09:00:00+01:00"},
            "end": {"dateTime": "2026-03-01T10:00:00+01:00"},
        },
    )
    sync(account)

    timed = Event.objects.get(google_id="timed1")
    assert (timed.starts_at.isoformat(), timed.all_day, timed.location) == (
        "2026-03-01T08:00:00+00:00",
        False,
        "Room 1",
    )
    whole_day = Event.objects.exclude(google_id="timed1").first()
    assert (whole_day.starts_at.hour, whole_day.all_day) == (0, True)


def test_a_failing_database_is_reported_per_calendar(account, google, calendar_ids, monkeypatch):
    """A DatabaseError on one calendar's page does not stop the others."""
    original = EventsTarget.apply

    def fails_for_one(self, items, listing):
        if self._calendar.google_id == calendar_ids[0]:
            with connection.cursor() as cursor:
                cursor.execute("SELECT * FROM no_such_table")
        return original(self, items, listing)

    monkeypatch.setattr(EventsTarget, "apply", fails_for_one)
    report = sync(account)

    assert [resource.calendar.google_id for resource in report.failed] == [calendar_ids[0]]


def test_a_programming_error_is_not_swallowed_and_frees_the_lease(account, google, control, calendar_ids, monkeypatch):
    """What is nobody's fault but the code's goes up; the next sync need not wait for the lease to run out."""
    with monkeypatch.context() as patch:
        patch.setattr(EventsTarget, "apply", lambda self, items, listing: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            sync(account)

    assert sync(account).skipped == []
    assert_equal(control, calendar_ids)


def altered(google, change):
    """Make the server's answers pass through `change(body)` before they are sent."""
    original = google.application.handle

    def handle(request):
        response = original(request)
        if response is not None and response.body is not None:
            change(response.body)
        return response

    google.application.handle = handle


def test_a_listing_that_ends_without_a_token_is_an_error(account, google):
    """Without nextSyncToken nothing could go on from there: reported, and the lease is free again."""
    altered(google, lambda body: body.pop("nextSyncToken", None))

    failed = sync(account).failed

    assert len(failed) == 6
    assert {report.error for report in failed} == {
        "UnexpectedResource: the last page of a listing has no nextSyncToken"
    }
    assert sync(account).skipped == []


@pytest.mark.parametrize(
    ("field", "message"), [("id", "has no id"), ("summary", "has no 'summary'"), ("etag", "has no 'etag'")]
)
def test_a_calendar_that_cannot_be_read_fails_the_list(account, google, field, message):
    """The error names the field that is missing."""

    def damage(body):
        for item in body["items"]:
            if item["kind"] == "calendar#calendarListEntry":
                del body["items"][0][field]
                return

    altered(google, damage)

    assert message in sync(account).failed[0].error


def test_a_sync_that_lost_its_lease_writes_nothing_more(account, google, control, calendar_ids, monkeypatch):
    """Another sync took over in mid-listing: this one's page is rolled back."""
    sync(account)
    stolen = Calendar.objects.get(google_id=calendar_ids[0])
    control.mutate(calendar_ids[0], add=1)
    thief = "00000000-0000-0000-0000-000000000001"

    before = local_events(calendar_ids[0])
    original = EventsTarget.apply

    def stolen_before_the_page(self, items, listing):
        if self._calendar.pk == stolen.pk:
            Calendar.objects.filter(pk=stolen.pk).update(lease_id=thief)
        return original(self, items, listing)

    monkeypatch.setattr(EventsTarget, "apply", stolen_before_the_page)
    (failed,) = sync(account).failed

    assert failed.error.startswith("LeaseLost")
    assert local_events(calendar_ids[0]) == before
