"""Transactions: how they ended and how long they were open, on real servers, with nothing added."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError, connection, connections, transaction
from django.db.utils import IntegrityError
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logging_pkg import ContextThreadPoolExecutor
from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.database.query_totals import DatabaseTotals
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event
from tests.django.databases import postgresql_schema, sqlite_file

REQUEST = "http.request_finished"
OTHER = "other"


def insert(alias: str = OTHER) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("INSERT INTO things (name) VALUES (%s)", ["a"])


def count(alias: str = OTHER) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT count(*) FROM things")
        return int(cursor.fetchone()[0])


def make_table(alias: str = OTHER) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("CREATE TABLE things (name text)")


@contextmanager
def unit() -> Iterator[Totals]:
    totals = Totals()
    with active(start_span("request", totals=totals)):
        yield totals


def ended(totals: Totals, alias: str = OTHER) -> tuple[int, int]:
    """Commits and rollbacks."""
    database = totals.databases.get(alias) or DatabaseTotals("")
    assert (database.transaction_nanoseconds > 0) is (database.commits + database.rollbacks > 0)
    return database.commits, database.rollbacks


@pytest.fixture
def sqlite(django_db_blocker: Any, tmp_path: Path) -> Iterator[Any]:
    """A database file with a table."""
    with django_db_blocker.unblock(), sqlite_file(tmp_path / "other.sqlite3") as opened:
        make_table()
        yield opened


@pytest.fixture
def postgresql(django_db_blocker: Any, postgresql_uri: str) -> Iterator[Any]:
    """A PostgreSQL schema with a table."""
    with django_db_blocker.unblock(), postgresql_schema(postgresql_uri) as opened:
        make_table()
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest) -> Any:
    """Either of them."""
    return request.getfixturevalue(request.param)


def test_an_outermost_block_is_a_commit_and_its_savepoints_are_none(other: Any) -> None:
    """However deep the blocks within it go, and however many of them are undone."""
    with unit() as totals:
        with transaction.atomic(OTHER):
            insert()
            with transaction.atomic(OTHER), transaction.atomic(OTHER):
                insert()
            with suppress(LookupError), transaction.atomic(OTHER):
                insert()
                raise LookupError
        with transaction.atomic(OTHER, durable=True):
            insert()
    assert ended(totals) == (2, 0)
    assert count() == 3


def test_time_held_open_is_counted_and_time_after_the_commit_is_not(other: Any) -> None:
    """From its first statement until the commit has returned; a hook that runs on commit is outside."""
    with unit() as totals, transaction.atomic(OTHER):
        insert()
        time.sleep(0.02)
        transaction.on_commit(lambda: time.sleep(0.3), using=OTHER)
    assert 20_000_000 <= totals.databases[OTHER].transaction_nanoseconds < 300_000_000


def test_sqlite_holds_a_transaction_open_from_its_begin(sqlite: Any) -> None:
    """Django sends it when the block is entered, however long the first statement takes to come."""
    with unit() as totals, transaction.atomic(OTHER):
        time.sleep(0.02)
        insert()
    assert totals.databases[OTHER].transaction_nanoseconds >= 20_000_000


def test_an_exception_is_a_rollback(other: Any) -> None:
    """And passes."""
    with unit() as totals, pytest.raises(LookupError), transaction.atomic(OTHER):  # noqa: PT012
        insert()
        raise LookupError
    assert ended(totals) == (0, 1)
    assert count() == 0


def test_set_rollback_is_a_rollback(other: Any) -> None:
    """Without any exception."""
    with unit() as totals, transaction.atomic(OTHER):
        insert()
        transaction.set_rollback(True, using=OTHER)
    assert ended(totals) == (0, 1)


def test_reading_in_a_block_is_a_transaction(other: Any) -> None:
    """It holds a snapshot, or a lock."""
    with unit() as totals, transaction.atomic(OTHER):
        count()
    assert ended(totals) == (1, 0)


def test_queries_in_autocommit_are_none(other: Any) -> None:
    """They are queries."""
    with unit() as totals:
        insert()
        count()
    assert ended(totals) == (0, 0)
    assert totals.databases[OTHER].count == 2


def test_an_empty_block_is_what_the_server_is_told_of_it(sqlite: Any, postgresql_uri: str) -> None:
    """SQLite gets a BEGIN; PostgreSQL's driver sends none before a statement, so nothing happened."""
    with postgresql_schema(postgresql_uri, "empty"), unit() as totals:
        for alias in (OTHER, "empty"):
            with transaction.atomic(alias):
                pass
    assert ended(totals) == (1, 0)
    assert ended(totals, "empty") == (0, 0)


def test_transactions_managed_by_hand(other: Any) -> None:
    """Autocommit off: each commit or rollback ends one, if a statement has begun one."""
    with unit() as totals:
        transaction.set_autocommit(False, using=OTHER)
        insert()
        with transaction.atomic(OTHER):
            insert()
        transaction.commit(using=OTHER)
        transaction.commit(using=OTHER)
        insert()
        transaction.rollback(using=OTHER)
        transaction.rollback(using=OTHER)
        transaction.set_autocommit(True, using=OTHER)
    assert ended(totals) == (1, 1)
    assert count() == 2


def test_switching_autocommit_on_commits_what_is_open(sqlite: Any) -> None:
    """Python's sqlite3 does."""
    with unit() as totals:
        transaction.set_autocommit(False, using=OTHER)
        insert()
        transaction.set_autocommit(True, using=OTHER)
    assert ended(totals) == (1, 0)
    assert count() == 1


def test_reading_by_hand_opens_no_transaction_in_sqlite(sqlite: Any) -> None:
    """Python's sqlite3 begins one before a write."""
    with unit() as totals:
        transaction.set_autocommit(False, using=OTHER)
        count()
        transaction.commit(using=OTHER)
        transaction.set_autocommit(True, using=OTHER)
    assert ended(totals) == (0, 0)


def test_the_drivers_own_cursors_open_transactions_too(other: Any) -> None:
    """Their statements pass by; their transaction does not."""
    with unit() as totals:
        transaction.set_autocommit(False, using=OTHER)
        other.connection.cursor().execute("INSERT INTO things (name) VALUES ('a')")
        transaction.commit(using=OTHER)
        transaction.set_autocommit(True, using=OTHER)
    assert ended(totals) == (1, 0)


def test_a_connection_closed_in_a_transaction_is_a_rollback(other: Any) -> None:
    """The database undoes what was open."""
    with unit() as totals:
        with transaction.atomic(OTHER):
            insert()
            other.close()
        assert count() == 0
        with transaction.atomic(OTHER):
            insert()
    assert ended(totals) == (1, 1)


def test_a_connection_lost_in_a_transaction_is_a_rollback(postgresql: Any, postgresql_uri: str) -> None:
    """Once, though Django tries to roll back and then closes; its exception passes."""
    with unit() as totals, pytest.raises(DatabaseError), transaction.atomic(OTHER):  # noqa: PT012
        insert()
        with postgresql_schema(postgresql_uri, "killer") as killer, killer.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", [postgresql.connection.info.backend_pid])
        insert()
    assert ended(totals) == (0, 1)
    assert count() == 0


def test_a_commit_that_fails_is_a_rollback(postgresql: Any) -> None:
    """A deferred constraint is checked at COMMIT, whose error passes."""
    with postgresql.cursor() as cursor:
        cursor.execute("CREATE TABLE once (name text UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with unit() as totals, pytest.raises(IntegrityError), transaction.atomic(OTHER), postgresql.cursor() as cursor:
        cursor.executemany("INSERT INTO once VALUES (%s)", [("a",), ("a",)])
    assert ended(totals) == (0, 1)


def test_a_commit_of_a_failed_transaction_is_a_rollback(postgresql: Any) -> None:
    """PostgreSQL answers it with ROLLBACK and no error."""
    with unit() as totals:
        transaction.set_autocommit(False, using=OTHER)
        insert()
        with pytest.raises(DatabaseError), postgresql.cursor() as cursor:
            cursor.execute("SELECT 1/0")
        transaction.commit(using=OTHER)
        transaction.set_autocommit(True, using=OTHER)
    assert ended(totals) == (0, 1)
    assert count() == 0


def test_aliases_are_told_apart(sqlite: Any, postgresql_uri: str) -> None:
    """Blocks on several databases, one within the other."""
    with postgresql_schema(postgresql_uri, "third"), unit() as totals:
        make_table("third")
        with transaction.atomic(OTHER):
            insert()
            with pytest.raises(LookupError), transaction.atomic("third"):  # noqa: PT012
                insert("third")
                raise LookupError
    assert ended(totals) == (1, 0)
    assert ended(totals, "third") == (0, 1)


def test_a_nested_unit_counts_for_the_outer_one(other: Any) -> None:
    """What a sync commits within a request, the request has committed."""
    with unit() as outer:
        inner = Totals(parent=outer)
        with active(start_span("sync", totals=inner)), transaction.atomic(OTHER):
            insert()
        with transaction.atomic(OTHER):
            insert()
    assert (ended(inner), ended(outer)) == ((1, 0), (2, 0))


def test_a_transaction_of_nobodys_is_counted_nowhere(other: Any) -> None:
    """It was open before the unit and is still open after it, as TestCase's own."""
    with transaction.atomic(OTHER), unit() as totals, transaction.atomic(OTHER):
        insert()
    assert ended(totals) == (0, 0)


def test_nothing_is_said_to_the_server(other: Any) -> None:
    """The same statements as ever."""
    with unit(), CaptureQueriesContext(other) as captured, transaction.atomic(OTHER):
        insert()
    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["BEGIN", "INSERT", "COMMIT"]


async def test_a_block_in_a_thread_of_async_code_is_its_units(sqlite: Any) -> None:
    """Through sync_to_async, and side by side."""

    def work() -> None:
        with transaction.atomic(OTHER):
            insert()
            count()
        connections[OTHER].close()

    async def one(times: int) -> tuple[int, int]:
        with unit() as totals:
            for _ in range(times):
                await sync_to_async(work)()
        return ended(totals)

    assert await asyncio.gather(*(one(times) for times in range(5))) == [(times, 0) for times in range(5)]


def test_threads_have_transactions_of_their_own(postgresql: Any) -> None:
    """Each thread its connection; all of them one unit."""

    def work(number: int) -> None:
        try:
            with suppress(LookupError), transaction.atomic(OTHER):
                insert()
                if number % 4 == 0:
                    raise LookupError
        finally:
            connections[OTHER].close()

    with unit() as totals, ContextThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(20)))
    assert ended(totals) == (15, 5)
    assert count() == 15


@pytest.mark.django_db(transaction=True)
def test_atomic_requests(client: Client, log_events: LogEvents) -> None:
    """The transaction Django puts around a view is the request's."""
    connection.settings_dict["ATOMIC_REQUESTS"] = True
    try:
        client.get("/writes/")
        with pytest.raises(DatabaseError):
            client.get("/broken-query/")
    finally:
        connection.settings_dict["ATOMIC_REQUESTS"] = False
    first, second = (event["queries"][0] for event in log_events.named(REQUEST))
    assert (first["commit_count"], first["rollback_count"]) == (1, 0)
    assert (second["commit_count"], second["rollback_count"]) == (0, 1)
    assert first["transaction_time_ms"] > 0


@pytest.mark.django_db
def test_within_a_test_case_nothing_is_committed(client: Client, log_events: LogEvents) -> None:
    """The application's blocks are savepoints of the test's transaction there."""
    client.get("/writes/")
    event = assert_event(log_events, REQUEST)
    assert set(event["queries"][0]) == {"alias", "count", "time_ms"}
    assert event["query_count"] == 8


def test_a_method_patched_later_is_called(sqlite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What others put into the class works as it did, function or mock."""
    calls: list[Any] = []
    monkeypatch.setattr(type(sqlite), "_commit", lambda self: calls.append(self))  # noqa: PLW0108  (a function binds, a method does not)
    sqlite.commit()
    monkeypatch.setattr(type(sqlite), "_commit", mock := Mock())
    sqlite.commit()
    assert calls == [sqlite]
    mock.assert_called_once_with()
