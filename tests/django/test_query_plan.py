"""Plans of slow SELECTs: asked for afterwards and elsewhere, on a SQLite file and a real PostgreSQL."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection, connections, transaction
from django.db.backends.signals import connection_created
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logging_pkg.conf import Settings
from logging_pkg.context import active, start_span
from logging_pkg.django.adapter import settings_from_django
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.instrumentation.query_plans import explain as query_plan
from logging_pkg.instrumentation.query_plans.explain import MAX_QUEUED, Explainer, explainer, is_explainable
from logging_pkg.instrumentation.totals import MAX_DEFERRED, Totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events
from tests.django import urls
from tests.django.databases import postgresql_schema, sqlite_file

EVENT = "db.query_explained"
HERE = Path(__file__).resolve().parent
ROWS = 2_000


@contextmanager
def explaining(**overrides: Any) -> Iterator[LogEvents]:
    """Every query is slow, and every SELECT explained once the block has ended."""
    explainer.reset()
    options = {"slow_query_threshold_ms": 0, "explain_slow_queries": True, "explain_timeout_ms": 20_000.0}
    with capture_events(**options | {"project_roots": (HERE,)} | overrides) as events:
        yield events
        assert explainer.wait(30)


@contextmanager
def unit() -> Iterator[Totals]:
    totals = Totals()
    with active(start_span("request", totals=totals)):
        yield totals
    totals.run_deferred()


def run(sql: str, params: Any = None, alias: str = "other") -> Any:
    with connections[alias].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall() if cursor.description else None


def fill() -> None:
    run("CREATE TABLE people (id integer PRIMARY KEY, email varchar(100), age integer)")
    with transaction.atomic("other"), connections["other"].cursor() as cursor:
        rows = [(number, f"{number}@example.org", number % 50) for number in range(ROWS)]
        cursor.executemany("INSERT INTO people VALUES (%s, %s, %s)", rows)
    run("ANALYZE")


@pytest.fixture
def sqlite(django_db_blocker: Any, tmp_path: Path) -> Iterator[Any]:
    """A database file with 2,000 people."""
    with django_db_blocker.unblock(), sqlite_file(tmp_path / "other.sqlite3") as opened:
        fill()
        yield opened


@pytest.fixture
def postgresql(django_db_blocker: Any, postgresql_uri: str) -> Iterator[Any]:
    """A PostgreSQL schema with 2,000 people."""
    with django_db_blocker.unblock(), postgresql_schema(postgresql_uri) as opened:
        fill()
        yield opened


@pytest.fixture(params=["sqlite", "postgresql"])
def other(request: pytest.FixtureRequest) -> Any:
    """Either of them."""
    return request.getfixturevalue(request.param)


def findings(event: dict[str, Any]) -> set[tuple[str, str | None, tuple[str, ...]]]:
    return {(entry["kind"], entry["relation"], tuple(entry["columns"])) for entry in event["findings"]}


def test_a_slow_select_of_a_request_is_explained(client: Client, other: Any) -> None:
    """After the request's own event and with its correlation: the plan, the scan of a large table, the index it lacks."""
    with explaining() as events:
        client.get("/people/")
    request = assert_event(events, "http.request_finished")
    event = assert_event(
        events,
        EVENT,
        count=1,
        alias="other",
        vendor=other.vendor,
        fingerprint="SELECT id FROM people WHERE email = ? AND age < ? AND ? <> ?",
        outcome="explained",
        error_type=None,
        route="/people/",
        request_id=request["request_id"],
        has_full_scan=1,
        has_missing_index=1,
        has_sort=0,
    )
    slow = assert_event(events, "db.slow_query_detected", alias="other")
    assert (event["duration_ms"], event["caller"]) == (slow["duration_ms"], slow["caller"])
    assert event["caller"].startswith("urls.py:")
    assert events.index(event) > events.index(request)
    assert findings(event) == {("full_scan", "people", ()), ("missing_index_candidate", "people", ("email", "age"))}
    assert {entry["rows"] for entry in event["findings"]} == {ROWS}
    assert [(node["depth"], node["relation"]) for node in event["plan"]] == [(0, "people")]
    assert event["plan"][0]["node"] == {"sqlite": "SCAN", "postgresql": "Seq Scan"}[other.vendor]


def test_no_value_of_the_statement_is_told(client: Client, other: Any) -> None:
    """Neither a parameter nor a literal, though PostgreSQL puts both into its plan."""
    with explaining() as events:
        client.get("/people/")
    condition = assert_event(events, EVENT)["plan"][0]["condition"]
    if other.vendor == "postgresql":
        assert condition == "((people.age < ?) AND ((people.email)::text = ?::text))"
    assert "hunter2" not in str(events)
    # So many digits are in no ID by chance.
    assert "2000047119" not in str(events)


def test_an_index_ends_the_findings(other: Any) -> None:
    """The plan names it."""
    run("CREATE INDEX by_email ON people (email)")
    run("ANALYZE")
    with explaining() as events, unit():
        run("SELECT id FROM people WHERE email = %s", ["x"])
    event = assert_event(events, EVENT, findings=[], has_full_scan=0, has_missing_index=0)
    assert "by_email" in {node["index"] for node in event["plan"]}


def test_a_small_table_may_be_scanned(other: Any) -> None:
    """A scan is a finding above explain_full_scan_rows, not at it."""
    for threshold, expected in ((ROWS, 0), (ROWS - 1, 1)):
        with explaining(explain_full_scan_rows=threshold) as events, unit():
            run("SELECT id FROM people WHERE email = %s", ["x"])
        assert_event(events, EVENT, count=1, has_full_scan=expected, has_missing_index=expected)


def test_a_filter_that_keeps_most_rows_needs_no_index(postgresql: Any) -> None:
    """PostgreSQL says how many it keeps."""
    with explaining() as events, unit():
        run("SELECT id FROM people WHERE age >= %s", [5])
    assert_event(events, EVENT, has_full_scan=1, has_missing_index=0)


def test_a_sort_is_found(other: Any) -> None:
    """SQLite's in a temporary B-tree, PostgreSQL's of more rows than may be scanned."""
    with explaining() as events, unit():
        run("SELECT email FROM people ORDER BY email")
    event = assert_event(events, EVENT, has_sort=1)
    (sort,) = (entry for entry in event["findings"] if entry["purpose"])
    kind, rows = {"sqlite": ("temporary_b_tree", None), "postgresql": ("sort", ROWS)}[other.vendor]
    assert (sort["kind"], sort["rows"], sort["purpose"]) == (kind, rows, "order_by")


def test_an_index_sqlite_makes_for_one_query_is_found(sqlite: Any) -> None:
    """It makes it anew each time: here is one missing."""
    run("CREATE TABLE letters (id integer PRIMARY KEY, recipient text)")
    run("INSERT INTO letters SELECT id, email FROM people")
    with explaining() as events, unit():
        run("SELECT count(*) FROM people p JOIN letters l ON l.recipient = p.email")
    found = findings(assert_event(events, EVENT, has_missing_index=1))
    assert {kind for kind, _, _ in found} == {"full_scan", "automatic_index", "missing_index_candidate"}


@pytest.mark.parametrize("vendor", ["sqlite", "postgresql"])
def test_a_table_never_analysed_is_measured(
    vendor: str, django_db_blocker: Any, tmp_path: Path, postgresql_uri: str
) -> None:
    """PostgreSQL guesses by the table's size, SQLite counts."""
    database = sqlite_file(tmp_path / "new.sqlite3") if vendor == "sqlite" else postgresql_schema(postgresql_uri)
    with django_db_blocker.unblock(), database, explaining() as events:
        run("CREATE TABLE fresh (name varchar(40))")
        with transaction.atomic("other"), connections["other"].cursor() as cursor:
            cursor.executemany("INSERT INTO fresh VALUES (%s)", [(f"name {number}",) for number in range(5_000)])
        run("SELECT * FROM fresh WHERE name = %s", ["a"])
        assert explainer.wait(30)
    assert assert_event(events, EVENT, has_full_scan=1)["findings"][0]["rows"] > 1_000


def test_a_partition_and_a_subquery_are_nodes(postgresql: Any) -> None:
    """Nodes below nodes, parents first; each large relation that is scanned is a finding."""
    run("CREATE TABLE orders (person integer, note text) PARTITION BY RANGE (person)")
    run("CREATE TABLE orders_low PARTITION OF orders FOR VALUES FROM (0) TO (1500)")
    run("CREATE TABLE orders_high PARTITION OF orders FOR VALUES FROM (1500) TO (2000)")
    run("INSERT INTO orders SELECT id, email FROM people")
    run("ANALYZE")
    with explaining() as events, unit():
        run("SELECT note FROM orders WHERE note = %s AND person IN (SELECT id FROM people WHERE age = 3)", ["hunter2"])
    event = assert_event(events, EVENT)
    assert event["plan"][0]["depth"] == 0
    assert max(node["depth"] for node in event["plan"]) >= 2
    assert ("full_scan", "orders_low", ()) in findings(event)
    assert ("missing_index_candidate", "orders_low", ("note",)) in findings(event)
    assert "orders_high" not in {relation for _, relation, _ in findings(event)}
    assert "hunter2" not in str(events)


def test_parameters_bound_by_the_server_are_no_obstacle(django_db_blocker: Any, postgresql_uri: str) -> None:
    """Server-side binding is an option of psycopg."""
    database = postgresql_schema(postgresql_uri, OPTIONS={"server_side_binding": True})
    with django_db_blocker.unblock(), database, explaining() as events:
        fill()
        run("SELECT id FROM people WHERE email = %s", ["hunter2"])
    event = assert_event(events, EVENT, outcome="explained", has_missing_index=1)
    assert "hunter2" not in str(event)


def test_a_statement_composed_of_parts_is_explained(postgresql: Any) -> None:
    """By psycopg's sql module, or bytes: told by their fingerprint as well."""
    from psycopg import sql

    composed = sql.SQL("SELECT id FROM people WHERE {} = {}").format(sql.Identifier("email"), sql.Literal("hunter2"))
    with explaining() as events, unit() as totals:
        run(composed)
        run(b"SELECT age FROM people WHERE email = 'hunter2'")
    assert {event["fingerprint"] for event in events.named(EVENT)} == {
        'SELECT id FROM people WHERE "email" = ?',
        "SELECT age FROM people WHERE email = ?",
    }
    assert {event["has_missing_index"] for event in events.named(EVENT)} == {1}
    assert totals.query_count == 2
    assert "hunter2" not in str(events)


def test_a_lock_in_the_way_is_waited_for_no_longer_than_allowed(postgresql: Any, postgresql_uri: str) -> None:
    """It fails with `timeout`; the request's connection knows nothing of it."""
    with explaining(explain_timeout_ms=50.0) as events:
        with unit():
            run("SELECT id FROM people WHERE email = %s", ["x"])
            blocker = type(postgresql)({**postgresql.settings_dict}, "blocker")
            blocker.set_autocommit(False)
            with blocker.cursor() as cursor:
                cursor.execute("LOCK TABLE people IN ACCESS EXCLUSIVE MODE")
        try:
            assert explainer.wait(30)
        finally:
            blocker.close()
    assert_event(events, EVENT, outcome="failed", error_type="timeout", plan=[], findings=[], has_full_scan=0)
    assert run("SELECT count(*) FROM people") == [(ROWS,)]


def test_a_locked_file_is_waited_for_no_longer_than_allowed(sqlite: Any) -> None:
    """SQLite's lock is the file's."""
    with explaining(explain_timeout_ms=50.0) as events:
        with unit():
            run("SELECT id FROM people WHERE email = %s", ["x"])
            run("BEGIN EXCLUSIVE")
        assert explainer.wait(30)
        run("ROLLBACK")
    assert_event(events, EVENT, outcome="failed", error_type="timeout", plan=[])


def test_what_cannot_be_explained_elsewhere_fails_with_its_error(postgresql: Any) -> None:
    """A temporary table is its connection's."""
    run("CREATE TEMPORARY TABLE mine (id integer)")
    with explaining() as events, unit():
        run("SELECT * FROM mine")
    assert_event(events, EVENT, outcome="failed", error_type="django.db.utils.ProgrammingError")


def test_one_fingerprint_is_explained_once_per_interval(sqlite: Any) -> None:
    """Whatever its parameters; another one has a turn of its own."""
    with explaining() as events:
        for number in range(5):
            with unit():
                run("SELECT id FROM people WHERE age = %s", [number])
                run(f"SELECT id FROM people WHERE age = {number}")
                run("SELECT email FROM people WHERE age = %s", [number])
            assert explainer.wait(30)
    assert len(events.named(EVENT)) == 2

    with explaining(explain_interval_s=0.0) as events:
        for number in range(3):
            with unit():
                run("SELECT id FROM people WHERE age = %s", [number])
            assert explainer.wait(30)
    assert len(events.named(EVENT)) == 3


def test_what_one_unit_may_not_put_off_has_its_turn_later(sqlite: Any) -> None:
    """A unit of many slow SELECTs has the first ones explained, and the next unit the others."""
    with explaining() as events:
        for _ in range(2):
            with unit():
                for number in range(MAX_DEFERRED + 5):
                    run(f"SELECT id AS a{number} FROM people WHERE age = %s", [number])
            assert explainer.wait(30)
    assert len(events.named(EVENT)) == MAX_DEFERRED + 5


def test_it_is_off_unless_debugging(sqlite: Any, settings: Any) -> None:
    """By default, and in production; then nothing is kept and no thread started."""
    assert Settings().explain_slow_queries is False
    for debug in (False, True):
        settings.DEBUG = debug
        assert settings_from_django().explain_slow_queries is debug
    settings.DEBUG = True
    settings.LOGPIPE = {**django_settings.LOGPIPE, "EXPLAIN_SLOW_QUERIES": False}
    assert settings_from_django().explain_slow_queries is False
    with explaining(explain_slow_queries=False) as events, unit() as totals:
        run("SELECT id FROM people WHERE age = %s", [1])
        assert totals.deferred is None
    assert_event(events, "db.slow_query_detected")
    assert_no_event(events, EVENT)


def test_nothing_is_asked_before_the_unit_has_ended(sqlite: Any) -> None:
    """A unit within another waits for the outer one; outside every unit there is nothing to wait for."""
    with explaining() as events:
        with unit() as outer:
            inner = Totals(parent=outer)
            with active(start_span("sync", totals=inner)):
                run("SELECT id FROM people WHERE age = %s", [1])
            inner.run_deferred()
            assert explainer.wait(0)
            assert_no_event(events, EVENT)
        assert explainer.wait(30)
        assert_event(events, EVENT, count=1)
        run("SELECT email FROM people WHERE age = %s", [1])
        assert explainer.wait(30)
        assert len(events.named(EVENT)) == 2


def test_the_applications_connection_is_left_alone(other: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its log, transaction and autocommit; the asking is in nobody's count, and its connection is closed again."""
    made: list[Any] = []
    told: list[Any] = []
    connect = type(other).get_new_connection
    monkeypatch.setattr(
        type(other), "get_new_connection", lambda self, params: made.append(connect(self, params)) or made[-1]
    )
    connection_created.connect(lambda connection, **_: told.append(connection), weak=False, dispatch_uid="told")
    lost = unattributed.query_count
    try:
        with explaining() as events, transaction.atomic("other"), CaptureQueriesContext(other) as captured:
            with unit() as totals:
                run("SELECT id FROM people WHERE age = %s", [1])
                run("UPDATE people SET age = age")
            assert explainer.wait(30)
            assert other.in_atomic_block
            assert not other.needs_rollback
    finally:
        connection_created.disconnect(dispatch_uid="told")
    assert [query["sql"].split()[0] for query in captured.captured_queries] == ["SELECT", "UPDATE"]
    assert (totals.query_count, unattributed.query_count) == (2, lost)
    assert len(events.named("db.slow_query_detected")) == 2
    assert_event(events, EVENT, outcome="explained")
    assert told == []
    (own,) = made
    assert own is not other.connection
    with pytest.raises((sqlite3.ProgrammingError, psycopg.OperationalError), match="closed"):
        own.execute("SELECT 1")


def test_what_receivers_of_connection_created_set_up_is_missing(sqlite: Any) -> None:
    """They are not told of our connection, so a function of theirs is not there."""
    sqlite.connection.create_function("theirs", 0, lambda: 1)
    with explaining() as events, unit():
        run("SELECT theirs()")
    assert_event(events, EVENT, outcome="failed", error_type="django.db.utils.OperationalError")


def test_its_queries_are_in_no_query_log(sqlite: Any, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where DEBUG has Django log every query."""
    settings.DEBUG = True
    with caplog.at_level("DEBUG", logger="django.db.backends"), explaining() as events, unit():
        run("SELECT id FROM people WHERE age = %s", [1])
    assert_event(events, EVENT)
    assert "SELECT id FROM people" in caplog.text
    assert "EXPLAIN" not in caplog.text


@pytest.mark.django_db
def test_within_a_test_case(client: Client, sqlite: Any) -> None:
    """The test's own transaction is open, and its rows are another connection's business."""
    with explaining() as events, transaction.atomic("other"):
        run("DELETE FROM people")
        client.get("/people/")
        assert explainer.wait(30)
        transaction.set_rollback(True, using="other")
    assert_event(events, EVENT, outcome="explained", has_full_scan=1)


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE people SET age = 1",
        "SELECT id FROM people FOR UPDATE",
        "SELECT id FROM people FOR NO KEY UPDATE",
        "SELECT id FROM people FOR  SHARE OF people",
        "WITH gone AS (DELETE FROM people RETURNING id) SELECT * FROM gone",
        "SELECT id INTO copy FROM people",
        "SELECT 1; DELETE FROM people",
        "SELECT 1; COMMIT; DELETE FROM people",
        "SELECT a$b$ FROM people; DELETE FROM people; SELECT $b$",
        "EXPLAIN SELECT 1",
        "ANALYZE SELECT 1",
        "SELECT " + "1, " * 5_000 + "1",
    ],
)
def test_what_is_not_only_read_is_not_explained(postgresql: Any, sql: str) -> None:
    """Nor what is several statements, of which all but the first would run; nor what is huge."""
    assert not is_explainable(postgresql, sql, None)


@pytest.mark.parametrize(
    ("sql", "params"),
    [
        ('SELECT "update", share, deleted FROM "delete" WHERE "into" = %s', [1]),
        ("  /* a; comment? no */ SELECT 1", None),
        ("WITH some AS (SELECT 1) SELECT * FROM some;", ()),
        ("(SELECT 1) UNION (SELECT %(a)s)", {"a": [1, "x"]}),
    ],
)
def test_what_only_reads_is_explained(postgresql: Any, sql: str, params: Any) -> None:
    """Names are no statements."""
    assert is_explainable(postgresql, sql, params) is (";" not in sql.rstrip(";"))


def test_parameters_that_are_used_up_or_large_are_not_kept(postgresql: Any, tmp_path: Path) -> None:
    """Nor an iterator in place of them."""
    large = "x" * 10_001
    for params in ([iter([1])], iter([1]), [large], {"a": [large]}, [1] * 5_000, [memoryview(b"x" * 10_001)]):
        assert not is_explainable(postgresql, "SELECT %s", params)


def test_other_databases_are_left_alone(sqlite: Any) -> None:
    """MySQL's plans are not read, and SQLite in memory is its connection's alone."""

    class Other:
        vendor = "mysql"

    assert is_explainable(sqlite, "SELECT 1", None)
    assert not is_explainable(Other(), "SELECT 1", None)
    assert connection.vendor != "sqlite" or connection.is_in_memory_db() is not is_explainable(
        connection, "SELECT 1", None
    )


def test_batches_and_named_cursors_are_not_explained(postgresql: Any) -> None:
    """Their plans are others than EXPLAIN would tell; both are counted, and told of as slow."""
    with explaining() as events, transaction.atomic("other"), unit() as totals:
        with postgresql.chunked_cursor() as cursor:
            cursor.execute("SELECT id FROM people WHERE age = 1")
            assert len(cursor.fetchall()) == ROWS // 50
        with postgresql.cursor() as cursor:
            cursor.executemany("SELECT id FROM people WHERE age = %s", [(1,), (2,)])
    assert totals.query_count == 2
    assert len(events.named("db.slow_query_detected")) == 2
    assert_no_event(events, EVENT)


def test_the_queue_is_bounded_and_gives_turns_back(sqlite: Any) -> None:
    """What finds no room may try again, before its interval is over."""
    full = Explainer()
    full._thread = threading.current_thread()  # busy
    with active(start_span()) as span:
        for number in range(MAX_QUEUED + 3):
            assert full.claim("other", f"SELECT {number}")
            full.submit(
                query_plan.SlowSelect(
                    type(sqlite), {}, "other", "SELECT 1", None, f"SELECT {number}", 1, None, None, span
                )
            )
    assert len(full._queue) == MAX_QUEUED
    assert not full.claim("other", "SELECT 0")
    assert full.claim("other", f"SELECT {MAX_QUEUED}")
    full.close()
    assert not full._queue


def test_no_room_for_a_thread_is_no_end(sqlite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses one, the next slow SELECT gets it, and all that waits is explained."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with capture_events(explain_slow_queries=True, slow_query_threshold_ms=0, strict=False) as events:
        with monkeypatch.context() as patch, sqlite.cursor() as cursor:
            patch.setattr(threading.Thread, "start", refuse)
            cursor.execute("SELECT 1 AS refused")
        with sqlite.cursor() as cursor:
            cursor.execute("SELECT 1 AS granted")
        assert explainer.wait(30)
    assert len(events.named(EVENT)) == 2


def test_a_query_of_a_finaliser_is_let_in(sqlite: Any) -> None:
    """The garbage collector may run one anywhere in this thread, where the queue is held too."""
    done = threading.Event()

    def work() -> None:
        with explainer._lock:
            assert explainer.claim("default", "SELECT ?")
        done.set()

    threading.Thread(target=work, daemon=True).start()
    assert done.wait(10)


def test_turns_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many fingerprints the oldest are forgotten."""
    monkeypatch.setattr(query_plan, "MAX_REMEMBERED", 10)
    asked = Explainer()
    assert all(asked.claim("other", f"SELECT {number}") for number in range(50))
    assert len(asked._last) == 10
    assert not asked.claim("other", "SELECT 49")
    assert asked.claim("other", "SELECT 0")


def test_a_forked_child_explains_for_itself(sqlite: Any) -> None:
    """Though the parent's thread, lock and turns are not its own."""
    with explaining() as events:
        with unit():
            run("SELECT id FROM people WHERE age = %s", [1])
        held, forked = threading.Event(), threading.Event()

        def hold() -> None:
            with explainer._lock:  # as the parent's thread does
                held.set()
                forked.wait(60)

        threading.Thread(target=hold, daemon=True).start()
        assert held.wait(10)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(60)  # should it wait for that lock
            code = 1
            try:
                connections["other"].connection = None
                events.clear()
                with unit():
                    run("SELECT id FROM people WHERE age = %s", [1])
                code = 0 if explainer.wait(30) and len(events.named(EVENT)) == 1 else 2
            finally:
                os._exit(code)
        forked.set()
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_fork_waits_for_a_plan_that_is_asked_for(sqlite: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that inherits SQLite's own locks from a thread it lacks would wait for them for ever."""
    asking, asked = threading.Event(), threading.Event()

    def explain(*_: Any, **__: Any) -> Any:
        asking.set()
        time.sleep(0.2)
        asked.set()
        return [], []

    monkeypatch.setattr(query_plan, "explain", explain)
    with explaining():
        run("SELECT id FROM people WHERE age = %s", [1])
        assert asking.wait(10)
        child = os.fork()
        if child == 0:
            os._exit(0 if asked.is_set() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_database_that_is_gone_harms_nobody(sqlite: Any) -> None:
    """The thread ends, and the next one is explained again."""
    sqlite.settings_dict["NAME"], name = "/nonexistent/directory/file", sqlite.settings_dict["NAME"]
    with explaining() as events:
        with unit():
            run("SELECT id FROM people WHERE age = %s", [1])
        assert explainer.wait(30)
        assert_event(events, EVENT, outcome="failed", error_type=f"django.db.utils.{OperationalError.__name__}")
        sqlite.settings_dict["NAME"] = name
        with unit():
            run("SELECT email FROM people WHERE age = %s", [1])
        assert explainer.wait(30)
        assert_event(events, EVENT, outcome="explained")


def test_the_caller_is_the_projects_line(client: Client, sqlite: Any) -> None:
    """The same as the slow query's."""
    with explaining() as events:
        client.get("/people/")
    number = int(assert_event(events, EVENT)["caller"].removeprefix("urls.py:"))
    assert urls.people.__code__.co_firstlineno < number <= urls.people.__code__.co_firstlineno + 8
