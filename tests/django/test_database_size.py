"""Sizes of databases and tables: a SQLite file and a real PostgreSQL, on connections of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, connections
from django.db.backends.signals import connection_created

from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.database import size
from logging_pkg.instrumentation.database.size import (
    MAX_TABLES,
    report_size,
    report_sizes,
    start_size_samples,
    stop_size_samples,
)
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events
from tests.django.databases import added_database, postgresql_schema, sqlite_file

SIZE, TABLE = "db.size_sampled", "db.table_size_sampled"


@pytest.fixture(autouse=True)
def _databases_of_our_own(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """The tests' aliases are not the project's, and `default` is its test database."""
    with django_db_blocker.unblock():
        yield


def fill(database: Any, rows: int, name: str = "people") -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    with database.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {quoted} (id integer PRIMARY KEY, note text)")
        cursor.executemany(f"INSERT INTO {quoted} VALUES (%s, %s)", [(n, "x" * 100) for n in range(rows)])


def test_sqlite_tells_its_file_its_tables_and_its_disk(tmp_path: Path, log_events: LogEvents) -> None:
    """The file's own size; each table with its index; rows counted; to the disk's end is what is left."""
    path = tmp_path / "db.sqlite3"
    with sqlite_file(path) as database:
        fill(database, 500)
        fill(database, 0, 'odd "name')
        with database.cursor() as cursor:
            cursor.execute("CREATE INDEX notes ON people (note)")
        report_size("other")
    found = assert_event(log_events, SIZE, alias="other", vendor="sqlite", table_count=2, limit_bytes=None)
    assert found["size_bytes"] == path.stat().st_size
    assert found["left_bytes"] == found["disk_free_bytes"] > 0
    people = assert_event(log_events, TABLE, table="people", row_count=500, is_estimate=0)
    assert 2 * 500 * 100 < people["size_bytes"] <= found["size_bytes"]
    assert_event(log_events, TABLE, table='odd "name', row_count=0)


def test_the_configured_size_is_the_limit_where_less_is_left_to_it(tmp_path: Path) -> None:
    """Past it nothing is left, not less than nothing."""
    for limit, left in ((100_000, True), (1, False)):
        with capture_events(database_max_bytes=limit) as events, sqlite_file(tmp_path / f"{limit}") as database:
            fill(database, 10)
            report_size("other")
        found = assert_event(events, SIZE, limit_bytes=limit)
        assert found["left_bytes"] == (limit - found["size_bytes"] if left else 0)


def test_only_the_largest_tables_are_told_and_large_ones_are_not_counted(
    tmp_path: Path, log_events: LogEvents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bound of the dimension; a count stops at its limit."""
    monkeypatch.setattr(size, "MAX_COUNTED_ROWS", 100)
    with sqlite_file(tmp_path / "db.sqlite3") as database:
        for number in range(MAX_TABLES + 5):
            fill(database, 0, f"empty_{number:03}")
        fill(database, 101, "over")
        fill(database, 100, "under")
        report_size("other")
    assert_event(log_events, SIZE, table_count=MAX_TABLES + 7)
    assert sum(event["event"] == TABLE for event in log_events) == MAX_TABLES
    assert_event(log_events, TABLE, table="over", row_count=None)
    assert_event(log_events, TABLE, table="under", row_count=100)


def test_postgresql_tells_total_sizes_and_its_own_estimates(postgresql_uri: str, log_events: LogEvents) -> None:
    """TOAST and indexes included; rows only of tables that were analysed."""
    with postgresql_schema(postgresql_uri) as database:
        fill(database, 1000)
        fill(database, 3, "fresh")
        with database.cursor() as cursor:
            cursor.execute("ANALYZE people")
            cursor.execute("SELECT pg_total_relation_size('people'), pg_database_size(current_database())")
            total, whole = cursor.fetchone()
        report_size("other")
    assert_event(log_events, TABLE, table="people", row_count=1000, size_bytes=total, is_estimate=1)
    assert_event(log_events, TABLE, table="fresh", row_count=None)
    found = assert_event(log_events, SIZE, vendor="postgresql", disk_free_bytes=None, left_bytes=None)
    assert abs(found["size_bytes"] - whole) < 10_000_000


def test_nobody_notices(tmp_path: Path, log_events: LogEvents) -> None:
    """No query counted, no connection_created, the application's settings and connections untouched, none left open."""
    created: list[Any] = []

    def on_created(**arguments: Any) -> None:
        created.append(arguments["connection"])

    connection_created.connect(on_created)
    with sqlite_file(tmp_path / "db.sqlite3", OPTIONS={"timeout": 7}) as database:
        fill(database, 10)
        before, queries, opened = repr(connections.settings["other"]), unattributed.query_count, database.connection
        log_events.clear()
        created.clear()
        report_size("other")
        assert repr(connections.settings["other"]) == before
        assert unattributed.query_count == queries
        assert connections["other"].connection is opened
    connection_created.disconnect(on_created)
    assert created == []
    assert {event["event"] for event in log_events} == {SIZE, TABLE}


def test_a_database_that_is_down_stops_no_other(tmp_path: Path, log_events: LogEvents) -> None:
    """It is named, the others are told."""
    with added_database("broken", ENGINE="django.db.backends.sqlite3", NAME=tmp_path / "no" / "folder"):
        with pytest.raises(DatabaseError):
            report_size("broken")
        assert report_sizes() == ["broken"]
    assert_event(log_events, SIZE, alias="default")
    assert_no_event(log_events, SIZE, alias="broken")


def test_the_background_thread_samples_until_stopped(tmp_path: Path) -> None:
    """At once, then each interval."""
    background.stop()
    with sqlite_file(tmp_path / "db.sqlite3"), capture_events(database_size_interval_s=0.05) as events:
        start_size_samples()
        start_size_samples()
        deadline = time.monotonic() + 20
        while sum(event["event"] == SIZE for event in events) < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        stop_size_samples()
        background.stop()
        count = len(events)
        time.sleep(0.1)
    assert len(events) == count
    assert sum(event["event"] == SIZE for event in events) >= 4


def test_the_command_says_what_it_found(tmp_path: Path, log_events: LogEvents) -> None:
    """A line per alias; an unknown alias and a failure are errors."""
    out, err = StringIO(), StringIO()
    with sqlite_file(tmp_path / "db.sqlite3") as database:
        fill(database, 10)
        call_command("sample_database_size", "other", stdout=out)
        size_bytes = assert_event(log_events, SIZE, alias="other")["size_bytes"]
        assert out.getvalue() == f"other: {size_bytes:,} bytes in 1 tables; the largest is people\n"
        with pytest.raises(CommandError, match='DATABASES has no "ohter"; it has default, other'):
            call_command("sample_database_size", "ohter")
    with (
        added_database("broken", ENGINE="django.db.backends.sqlite3", NAME=tmp_path / "no" / "folder"),
        pytest.raises(CommandError, match="1 databases could not be asked: broken"),
    ):
        call_command("sample_database_size", "broken", stdout=out, stderr=err)
    assert "broken: unable to open database file" in err.getvalue()
    assert connection.alias == "default"
