"""Queries through every kind of cursor, statement and connection are counted once, and behave as unwatched ones do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connections, models, transaction
from django.test.utils import CaptureQueriesContext, isolate_apps, override_settings
from psycopg import sql

from logging_pkg import ContextThreadPoolExecutor
from logging_pkg.context import active, carry_context, start_span
from logging_pkg.instrumentation.database.watch import watch_databases
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.django.databases import postgresql_schema, sqlite_file

OTHER = "other"


@pytest.fixture
def postgresql(django_db_blocker: Any, postgresql_uri: str) -> Iterator[Any]:
    """A PostgreSQL schema with a table of 500 rows."""
    with django_db_blocker.unblock(), postgresql_schema(postgresql_uri) as opened:
        with opened.cursor() as cursor:
            cursor.execute("CREATE TABLE things (id serial PRIMARY KEY, name text)")
            cursor.execute("INSERT INTO things (name) SELECT 'hunter2' || n FROM generate_series(1, 500) AS n")
        yield opened


@pytest.fixture
def totals() -> Iterator[Totals]:
    """Of a unit that runs for the length of the test."""
    with active(start_span("request", totals=Totals())) as span:
        yield span.totals


def counted(totals: Totals, alias: str = OTHER) -> int:
    return totals.databases[alias].count if alias in totals.databases else 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT name FROM things WHERE name = 'hunter2'",
        b"SELECT name FROM things WHERE name = 'hunter2'",
        sql.SQL("SELECT name FROM {} WHERE name = {}").format(sql.Identifier("things"), sql.Literal("hunter2")),
    ],
    ids=["str", "bytes", "composed"],
)
def test_statements_of_every_type(postgresql: Any, totals: Totals, statement: Any) -> None:
    """Counted, and told by a fingerprint without their literals."""
    with capture_events(slow_query_threshold_ms=0) as events:
        totals.slow_query_nanoseconds = 0
        with postgresql.cursor() as cursor:
            cursor.execute(statement)
    assert counted(totals) == 1
    event = assert_event(events, "db.slow_query_detected", operation="select")
    assert event["fingerprint"].replace('"', "") == "SELECT name FROM things WHERE name = ?"
    assert "hunter2" not in str(events)


def test_a_server_side_cursor_is_one_query(postgresql: Any, totals: Totals) -> None:
    """`.iterator()` on PostgreSQL: a named cursor, its rows in chunks."""
    with isolate_apps("tests.django"):

        class Thing(models.Model):  # noqa: DJ008
            name = models.TextField()

            class Meta:
                app_label = "tests"
                db_table = "things"

        assert sum(1 for _ in Thing.objects.using(OTHER).iterator(chunk_size=50)) == 500
    assert counted(totals) == 1


def test_procedures_are_counted(postgresql: Any, totals: Totals) -> None:
    """Django runs `callproc` past its execute wrappers; its result is what it was."""
    with postgresql.cursor() as cursor:
        cursor.execute("CREATE FUNCTION twice(n integer) RETURNS integer LANGUAGE sql AS 'SELECT 2 * n'")
        assert cursor.callproc("twice", [21]) == [21]
        assert cursor.fetchone() == (42,)
    assert counted(totals) == 2
    with (  # noqa: PT012
        transaction.atomic(OTHER),
        pytest.raises(transaction.TransactionManagementError),
        postgresql.cursor() as cursor,
    ):
        transaction.set_rollback(True, using=OTHER)
        cursor.callproc("twice", [21])


def test_watching_procedures_twice_counts_once(postgresql: Any, totals: Totals) -> None:
    """Idempotent."""
    watch_databases()
    watch_databases()
    with postgresql.cursor() as cursor:
        cursor.callproc("pg_backend_pid")
    assert counted(totals) == 1


def test_executemany_is_one_statement(postgresql: Any, totals: Totals) -> None:
    """However many rows; an iterator of them is not used up by being watched."""
    with postgresql.cursor() as cursor:
        cursor.executemany("INSERT INTO things (name) VALUES (%s)", ((str(number),) for number in range(7)))
        cursor.execute("SELECT count(*) FROM things")
        assert cursor.fetchone() == (507,)
    assert counted(totals) == 2


def test_a_connection_closed_and_opened_again_is_watched_once(postgresql: Any, totals: Totals) -> None:
    """The wrapper stays where it is; so do the totals."""
    for _ in range(3):
        with connections[OTHER].cursor() as cursor:
            cursor.execute("SELECT 1")
        connections.close_all()
    assert counted(totals) == 3
    assert len(connections[OTHER].execute_wrappers) == 1


def test_connections_of_other_threads(postgresql: Any, totals: Totals) -> None:
    """Each thread opens its own, bare threads with the context carried into them."""

    def work(*_: object) -> None:
        with connections[OTHER].cursor() as cursor:
            cursor.execute("SELECT 1")
        connections[OTHER].close()

    threads = [threading.Thread(target=carry_context(work)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with ContextThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(20)))
    assert counted(totals) == 25


def test_wrappers_of_the_application_work_as_ever(postgresql: Any, totals: Totals) -> None:
    """Theirs may repeat or refuse a statement; it counts as often as Django's own query log has it."""

    def twice(execute: Callable[..., Any], *arguments: Any) -> Any:
        execute(*arguments)
        return execute(*arguments)

    def refuse(*_: Any) -> Any:
        raise PermissionError

    with CaptureQueriesContext(postgresql) as captured:
        with postgresql.execute_wrapper(twice), postgresql.cursor() as cursor:
            cursor.execute("INSERT INTO things (name) VALUES ('a')")
        with postgresql.execute_wrapper(refuse), postgresql.cursor() as cursor, pytest.raises(PermissionError):
            cursor.execute("SELECT 1")
    with postgresql.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM things")
        assert cursor.fetchone() == (502,)
    assert counted(totals) == len(captured) + 1 == 3
    assert len(postgresql.execute_wrappers) == 1


def test_a_router_divides_a_units_queries(django_db_blocker: Any, tmp_path: Path, totals: Totals) -> None:
    """Reads from one database, writes to another: each alias its own."""

    class Router:
        def db_for_read(self, model: Any, **hints: Any) -> str:
            return "replica"

        def db_for_write(self, model: Any, **hints: Any) -> str:
            return "primary"

    path = tmp_path / "both.sqlite3"
    with (
        django_db_blocker.unblock(),
        sqlite_file(path, "primary") as primary,
        sqlite_file(path, "replica"),
        override_settings(DATABASE_ROUTERS=[Router()]),
    ):
        with active(start_span(totals=Totals())), primary.schema_editor() as editor:
            editor.create_model(Group)
        group = Group.objects.create(name="a")
        group.save()
        assert [found.name for found in Group.objects.all()] == ["a"]
    assert (counted(totals, "primary"), counted(totals, "replica")) == (2, 1)


def test_debug_cursors_log_as_ever(postgresql: Any, log_events: LogEvents, totals: Totals) -> None:
    """The query log holds the same statements, watched or not, and those once."""
    with CaptureQueriesContext(postgresql) as captured, postgresql.cursor() as cursor:
        cursor.execute("SELECT %s", [1])
        cursor.executemany("INSERT INTO things (name) VALUES (%s)", [("a",), ("b",)])
    assert [query["sql"] for query in captured.captured_queries] == [
        "SELECT 1",
        "2 times: INSERT INTO things (name) VALUES (%s)",
    ]
    assert counted(totals) == 2
