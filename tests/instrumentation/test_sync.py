"""sync_run: one canonical event per run, whatever happens in it."""

from __future__ import annotations

import pytest

from logging_pkg.context import active, current_span, start_span
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.sync import sync_run
from logging_pkg.instrumentation.totals import Totals, current_totals
from logging_pkg.testing import LogEvents, assert_event, capture_events

RUN = "sync.run_finished"


def test_a_run_tells_what_it_did(log_events: LogEvents) -> None:
    """Counts, totals of its queries and API calls, hashes instead of addresses."""
    with sync_run(
        resource="events", kind="incremental", trigger="page", account="bob@example.com", calendar="c"
    ) as run:
        for _ in range(3):
            run.page()
        run.created(5)
        run.created(2)
        run.updated(1)
        run.deleted(4)
        run.unchanged(9)
        totals = current_totals()
        assert totals is not None
        totals.add_query("default", "sqlite", "SELECT 1", 2_000_000)
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
        with sync_run(resource="calendar_list", kind="full", trigger="command", account=1) as run:
            run.page()
            raise error

    with pytest.raises(ConnectionError) as caught:
        engine()
    assert caught.value is error
    assert_event(log_events, RUN, outcome="failed", is_success=0, error_type="ConnectionError", page_count=1)
    assert "hunter2" not in str(log_events)


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
            totals.add_query("default", "sqlite", "SELECT 1", 1)
        assert current_span() is request
        outer.add_query("default", "sqlite", "SELECT 1", 1)
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
