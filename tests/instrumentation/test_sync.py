"""sync_run: one canonical event per run, whatever happens in it."""

from __future__ import annotations

import datetime as dt

import pytest

from logging_pkg.context import active, current_span, start_span
from logging_pkg.instrumentation.database.statements import Statement
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.sync import connection_checked, schedule_checked, sync_run
from logging_pkg.instrumentation.totals import Totals, current_totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events

RUN = "sync.run_finished"


def test_a_run_tells_what_it_did(log_events: LogEvents) -> None:
    """Counts, totals of its queries and API calls, hashes instead of addresses."""
    with sync_run(
        resource="events", kind="incremental", trigger="page", account="bob@example.com", calendar="c"
    ) as run:
        for _ in range(3):
            with run.page():
                pass
        run.created(5)
        run.created(2)
        run.updated(1)
        run.deleted(4)
        run.unchanged(9)
        totals = current_totals()
        assert totals is not None
        totals.add_query(Statement("default", "sqlite", "SELECT 1"), 2_000_000)
        totals.add_api_attempt(1_000_000, 1)
        span_id = current_span().span_id
    event = assert_event(
        log_events,
        RUN,
        count=1,
        outcome="ok",
        is_success=1,
        page_count=3,
        created_count=7,
        updated_count=1,
        deleted_count=4,
        unchanged_count=9,
        query_count=1,
        query_time_ms=2.0,
        api_call_count=1,
        quota_units=1,
        kind="incremental",
        sync_token_expired=0,
        error_type=None,
    )
    assert event["sync_id"] == event["span_id"] == span_id
    assert event["account_hash"] == account_hash_of("bob@example.com") != event["calendar_hash"]
    assert "bob" not in str(log_events)


def test_a_failure_is_told_and_passes_on(log_events: LogEvents) -> None:
    """The engine's exception arrives unchanged."""
    error = ConnectionError("hunter2")

    def engine() -> None:
        with sync_run(resource="calendar_list", kind="full", trigger="command", account=1) as run, run.page():
            raise error

    with pytest.raises(ConnectionError) as caught:
        engine()
    assert caught.value is error
    assert_event(log_events, RUN, outcome="failed", is_success=0, error_type="ConnectionError", page_count=1)
    assert "hunter2" not in str(log_events)


def test_a_query_per_page_is_no_n_plus_one(log_events: LogEvents) -> None:
    """Repeated over pages it is not; repeated within one it is, told as the run's and counted towards the run's cap."""

    def ask(times: int) -> None:
        totals = current_totals()
        assert totals is not None
        for _ in range(times):
            totals.add_query(Statement("default", "sqlite", "SELECT 1"), 1)

    with sync_run(resource="events", kind="full", trigger="worker", account=1) as run:
        for _ in range(10):
            with run.page():
                ask(3)
    assert_event(log_events, RUN, query_count=30, page_count=10)
    assert_no_event(log_events, "db.n_plus_one_detected")
    log_events.clear()
    with capture_events(max_findings=2) as events:
        with sync_run(resource="events", kind="full", trigger="worker", account=1) as run:
            for _ in range(3):
                with run.page():
                    ask(4)
        run_event = assert_event(events, RUN, query_count=12)
        finding = assert_event(events, "db.n_plus_one_detected", count=2)
    assert finding["span_id"] == run_event["span_id"]


def test_an_expired_token_makes_the_run_a_full_one(log_events: LogEvents) -> None:
    """410: the kind it ended as, and that it happened."""
    with sync_run(resource="events", kind="incremental", trigger="worker", account=1, calendar=0) as run:
        run.sync_token_expired()
    assert_event(log_events, RUN, kind="full", sync_token_expired=1, calendar_hash=account_hash_of(0))


def test_a_run_inside_a_request_counts_for_both(log_events: LogEvents) -> None:
    """Linked to the request, its queries in the request's totals too; after it the request's unit is current."""
    outer = Totals()
    with active(start_span("request", totals=outer)) as request:
        with sync_run(resource="events", kind="full", trigger="page", account=1):
            totals = current_totals()
            assert totals is not None
            totals.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        assert current_span() is request
        outer.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
    event = assert_event(log_events, RUN, query_count=1)
    assert outer.query_count == 2
    assert (event["request_id"], event["parent_span_id"]) == (request.span_id, request.span_id)


def test_a_key_changes_the_hashes(tmp_path_factory: pytest.TempPathFactory) -> None:
    """In production addresses are hashed with the project's key."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_bytes(b"k" * 32)
    with capture_events(user_id_key_file=key) as events:
        keyed = account_hash_of("bob@example.com")
        with sync_run(resource="events", kind="full", trigger="page", account="bob@example.com"):
            pass
    assert events[0]["account_hash"] == keyed != account_hash_of("bob@example.com")


def test_a_resumed_run_says_so(log_events: LogEvents) -> None:
    """0 for any other; the kind is that of the listing it goes on with."""
    with sync_run(resource="events", kind="full", trigger="worker", account=1, calendar=0) as run:
        run.resumed()
    with sync_run(resource="events", kind="incremental", trigger="worker", account=1, calendar=0):
        pass
    assert [(event["is_resumed"], event["kind"]) for event in log_events.named(RUN)] == [
        (1, "full"),
        (0, "incremental"),
    ]


def test_the_lag_is_that_of_the_latest_change(log_events: LogEvents) -> None:
    """In milliseconds, whatever the order and the time zone; null without a change, 0 for one that is yet to come."""
    now = dt.datetime.now(dt.UTC)
    newest = (now - dt.timedelta(seconds=100)).astimezone(dt.timezone(dt.timedelta(hours=-8)))
    moments = {
        "several": [now - dt.timedelta(days=1), newest, now - dt.timedelta(hours=1)],
        "ahead": [now + dt.timedelta(minutes=5)],
        "none": [],
    }
    for changes in moments.values():
        with sync_run(resource="events", kind="full", trigger="push", account=1, calendar=0) as run:
            for moment in changes:
                run.changed_at(moment)
    several, ahead, none = (event["lag_ms"] for event in log_events.named(RUN))
    assert 100_000 <= several < 160_000
    assert ahead == 0
    assert none is None


@pytest.mark.parametrize("status", ["healthy", "degraded", "expiring", "revoked"])
def test_a_connections_verdict_is_an_event(log_events: LogEvents, status: str) -> None:
    """With its two flags, to be averaged and summed; the account is a hash."""
    connection_checked(account="bob@example.com", status=status, resource_count=6, failed_count=2)  # type: ignore[arg-type]
    event = assert_event(log_events, "calendar.connection_checked", count=1, status=status)
    assert (event["is_healthy"], event["is_revoked"]) == (int(status == "healthy"), int(status == "revoked"))
    assert (event["resource_count"], event["failed_count"]) == (6, 2)
    assert (event["token_expires_in_s"], event["error_type"]) == (None, None)
    assert event["account_hash"] == account_hash_of("bob@example.com")
    assert "bob" not in str(log_events)


def test_a_connection_tells_what_failed_and_how_long_its_token_lasts(log_events: LogEvents) -> None:
    """The class of the exception, not its text; seconds to the millisecond, negative ones too."""
    error = ConnectionError("hunter2")
    for seconds in (86_399.12345, -1.5):
        connection_checked(
            account=1, status="degraded", resource_count=1, failed_count=1, token_expires_in_s=seconds, failure=error
        )
    events = log_events.named("calendar.connection_checked")
    assert [event["token_expires_in_s"] for event in events] == [86_399.123, -1.5]
    assert {event["error_type"] for event in events} == {"ConnectionError"}
    assert "hunter2" not in str(log_events)


def test_a_schedule_counts_all_late_calendars_and_names_twenty(log_events: LogEvents) -> None:
    """By their hashes, in order; an iterator will do."""
    names = [f"c{number}@example.com" for number in range(25)]
    schedule_checked(interval_s=30, threshold_s=90, calendar_count=40, oldest_age_s=1234.56789, late=iter(names))
    event = assert_event(log_events, "sync.schedule_checked", count=1, interval_s=30, threshold_s=90, calendar_count=40)
    assert event["late_count"] == 25
    assert event["late_calendars"] == [account_hash_of(name) for name in names[:20]]
    assert event["oldest_age_s"] == 1234.568
    assert "example.com" not in str(log_events)


def test_a_schedule_without_a_sync_has_no_age(log_events: LogEvents) -> None:
    """Null; and never negative, where the database's clock is ahead."""
    schedule_checked(interval_s=30, threshold_s=90, calendar_count=0, oldest_age_s=None, late=[])
    schedule_checked(interval_s=30, threshold_s=90, calendar_count=1, oldest_age_s=-0.5, late=[])
    assert [event["oldest_age_s"] for event in log_events.named("sync.schedule_checked")] == [None, 0.0]
    assert [event["late_calendars"] for event in log_events.named("sync.schedule_checked")] == [[], []]
