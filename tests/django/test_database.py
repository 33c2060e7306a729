"""Queries: counted exactly, wherever they run, and what is found in them."""

from __future__ import annotations

import inspect
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.db.utils import OperationalError
from django.test import AsyncClient, Client

from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.database.query_totals import MAX_STATEMENTS
from logging_pkg.instrumentation.database.statements import Statement
from logging_pkg.instrumentation.database.watch import watch_databases
from logging_pkg.instrumentation.fields import database_fields
from logging_pkg.instrumentation.sync import sync_run
from logging_pkg.instrumentation.totals import Totals
from logging_pkg.testing import LogEvents, assert_event, assert_no_event, capture_events
from tests.django import urls

REQUEST = "http.request_finished"
HERE = Path(__file__).resolve().parent
pytestmark = pytest.mark.django_db


@pytest.fixture
def events() -> Iterator[LogEvents]:
    """Captured, with these tests taken for the project's own code."""
    with capture_events(project_roots=(HERE,)) as captured:
        yield captured


def line_of(view: Any, mark: str) -> str:
    """`urls.py:<line>` of a view's marked line."""
    lines, first = inspect.getsourcelines(view)
    return f"urls.py:{first + next(number for number, line in enumerate(lines) if mark in line)}"


@pytest.mark.parametrize("count", [0, 1, 10])
def test_every_query_is_counted_once(client: Client, log_events: LogEvents, count: int) -> None:
    """Count and time, per alias; none of it is ours."""
    client.get(f"/queries/{count}/")
    event = assert_event(log_events, REQUEST, query_count=count, duplicate_query_count=0)
    assert sum(database["count"] for database in event["queries"]) == count
    if count:
        assert event["queries"][0]["alias"] == "default"
        assert event["queries"][0]["time_ms"] == event["query_time_ms"] > 0
    assert_no_event(log_events, "db.high_query_count_detected")


def test_transactions_savepoints_and_batches(client: Client, log_events: LogEvents) -> None:
    """BEGIN and SAVEPOINT do not count; bulk_create and executemany are one statement each."""
    client.get("/writes/")
    event = assert_event(log_events, REQUEST)
    assert event["query_count"] == 6 + 1 + 1
    assert event["duplicate_query_count"] == 5
    assert_no_event(log_events, "db.n_plus_one_detected")


@pytest.mark.django_db(transaction=True)
async def test_200_queries_through_tasks_and_threads_are_counted_exactly(
    async_client: AsyncClient, log_events: LogEvents
) -> None:
    """gather, sync_to_async in threads of their own, to_thread, and an executor that carries the context."""
    await async_client.get("/gathered/")
    assert_event(log_events, REQUEST, query_count=200, duplicate_query_count=198)


def test_a_bare_executors_queries_belong_to_no_request(client: Client, log_events: LogEvents) -> None:
    """Told in the documentation; they do no harm."""
    client.get("/lost/")
    assert_event(log_events, REQUEST, query_count=0)


async def test_concurrent_requests_do_not_share_counts(async_client: AsyncClient, log_events: LogEvents) -> None:
    """Each its own, though they are served side by side."""
    import asyncio

    await asyncio.gather(*(async_client.get(f"/queries/{count}/") for count in range(1, 9)))
    assert sorted(event["query_count"] for event in log_events.named(REQUEST)) == list(range(1, 9))


def test_n_plus_one_names_the_line(client: Client, events: LogEvents) -> None:
    """More than 3 times the same SELECT: how often, its fingerprint, and the project's line that runs it."""
    client.get("/n-plus-one/7/")
    event = assert_event(events, "db.n_plus_one_detected", threshold=3, route="/n-plus-one/{count}/", alias="default")
    assert event["count"] == 7
    assert event["caller"] == line_of(urls.n_plus_one, "the N+1 line")
    assert event["fingerprint"].startswith("SELECT ? AS ")
    assert event["total_ms"] > 0
    request = assert_event(events, REQUEST, query_count=7, duplicate_query_count=6)
    assert event["span_id"] == request["span_id"]


def test_n_plus_one_of_a_template_names_its_line(client: Client, events: LogEvents) -> None:
    """The line that asks is in the template; the view's is the one that renders it."""
    for number in range(5):
        User.objects.create(username=str(number))
    client.get("/template-n-plus-one/")
    assert assert_event(events, "db.n_plus_one_detected", caller="templates/n_plus_one.html:4")["count"] == 5


def test_n_plus_one_is_found_by_fingerprint(client: Client, events: LogEvents) -> None:
    """Texts that differ in their literals, or in the length of a list, are one and the same query."""
    with active(start_span("request", totals=Totals())) as span:
        for number in range(2, 7):
            with connection.cursor() as cursor:
                cursor.execute(f"SELECT id FROM auth_user WHERE id = {number}")  # the literal line
            list(Group.objects.filter(pk__in=range(number)))
    repeated = {"".join(entry.statement.shape.split()[-2:]): entry for entry in span.totals.repeated()}
    assert {key: entry.count for key, entry in repeated.items()} == {"=?": 5, "IN(?…)": 5}
    number = inspect.getsourcelines(test_n_plus_one_is_found_by_fingerprint)[1] + 5
    assert repeated["=?"].caller == f"test_database.py:{number}"
    assert database_fields(span.totals)["duplicate_query_count"] == 8


@pytest.mark.parametrize(("threshold", "found"), [(3, True), (4, False)])
def test_the_n_plus_one_threshold(threshold: int, found: bool) -> None:
    """More often than the threshold, not as often."""
    with capture_events(n_plus_one_threshold=threshold) as events:
        Client().get("/n-plus-one/4/")
    assert bool(events.named("db.n_plus_one_detected")) is found


def test_a_threshold_of_none_finds_every_read() -> None:
    """With 0, one that ran once is more than that."""
    with capture_events(n_plus_one_threshold=0) as events:
        Client().get("/queries/1/")
    assert assert_event(events, "db.n_plus_one_detected", threshold=0)["count"] == 1


@pytest.mark.parametrize(("count", "found"), [(10, False), (11, True)])
def test_too_many_queries(client: Client, log_events: LogEvents, count: int, found: bool) -> None:
    """More than 10 in one request."""
    client.get(f"/queries/{count}/")
    detected = log_events.named("db.high_query_count_detected")
    assert bool(detected) is found
    if found:
        assert (detected[0]["query_count"], detected[0]["threshold"]) == (11, 10)
        assert detected[0]["route"] == "/queries/{count}/"


def test_findings_are_capped_and_the_rest_counted() -> None:
    """30 N+1 patterns, 20 told, 10 and the high count dropped."""
    with capture_events(max_findings=20) as events:
        Client().get("/many-n-plus-ones/")
    assert len(events.named("db.n_plus_one_detected")) == 20
    assert_event(events, REQUEST, query_count=120, findings_dropped=11)


def test_a_slow_query_is_told_at_once_without_its_parameters(client: Client) -> None:
    """Duration, fingerprint, caller and route; the request's event follows."""
    connection.ensure_connection()
    connection.connection.create_function("slowly", 1, lambda text: time.sleep(0.02) or text)
    with capture_events(slow_query_threshold_ms=10, project_roots=(HERE,)) as events:
        client.get("/slow/")
    event = assert_event(
        events,
        "db.slow_query_detected",
        count=1,
        operation="select",
        fingerprint="SELECT slowly(?…)",
        alias="default",
        route="/slow/",
        threshold_ms=10,
        caller=line_of(urls.slow, "the slow line"),
    )
    assert event["duration_ms"] > 10
    assert events.index(event) < events.index(events.named(REQUEST)[0])
    assert "hunter2" not in str(events)


def test_a_failing_query_counts_and_its_error_passes(client: Client, log_events: LogEvents) -> None:
    """The database's exception is untouched."""
    with pytest.raises(OperationalError, match="no such table"):
        client.get("/broken-query/")
    assert_event(log_events, REQUEST, query_count=1, error_type="django.db.utils.OperationalError")


def test_watching_twice_counts_once(client: Client, log_events: LogEvents) -> None:
    """Idempotent, and in front of Django's own wrappers, which leave with pop()."""
    watch_databases()
    watch_databases()
    with connection.execute_wrapper(lambda execute, *arguments: execute(*arguments)):
        client.get("/queries/3/")
    client.get("/queries/3/")
    assert [event["query_count"] for event in log_events.named(REQUEST)] == [3, 3]


def test_installed_under_a_wrapper_of_the_projects_it_stays() -> None:
    """`execute_wrapper` leaves with pop(): it must take its own wrapper, not ours."""

    def theirs(execute: Any, *arguments: Any) -> Any:
        return execute(*arguments)

    before = list(connection.execute_wrappers)
    connection.execute_wrappers.clear()
    with connection.execute_wrapper(theirs):
        watch_databases()
    assert connection.execute_wrappers == before
    assert theirs not in connection.execute_wrappers


def test_nothing_is_added_to_the_queries(client: Client, django_assert_num_queries: Any) -> None:
    """Django counts what the view runs, and no more."""
    with django_assert_num_queries(3):
        client.get("/queries/3/")


def test_what_watching_costs_is_told_in_every_enclosing_unit() -> None:
    """A request's cost has that of the syncs within it."""
    outer = Totals()
    inner = Totals(parent=outer)
    with active(start_span(totals=inner)):
        Group.objects.count()
    assert outer.watching_nanoseconds(1) == inner.watching_nanoseconds(1) > 0


def test_a_repeated_statement_is_remembered_within_bounds() -> None:
    """Of more than 2,000 different statements all are counted, and no more remembered."""
    totals = Totals()
    for number in range(MAX_STATEMENTS + 500):
        totals.add_query(Statement("default", "sqlite", f"SELECT c{number}"), 1)
    assert totals.query_count == MAX_STATEMENTS + 500
    assert len(totals.recent) == MAX_STATEMENTS


def test_several_databases_are_told_apart(log_events: LogEvents) -> None:
    """Per alias, and together."""
    from logging_pkg.instrumentation.request.watch import RequestWatch

    watch = RequestWatch("GET", lambda: "/")
    for alias in ("default", "replica", "replica"):
        watch.totals.add_query(Statement(alias, "sqlite", "SELECT 1"), 1_000_000)
    watch.finish(status=200, response_bytes=0)
    watch.finish(status=500, response_bytes=0)
    event = assert_event(log_events, REQUEST, count=1, query_count=3, query_time_ms=3.0, duplicate_query_count=1)
    assert [(entry["alias"], entry["count"], entry["time_ms"]) for entry in event["queries"]] == [
        ("default", 1, 1.0),
        ("replica", 2, 2.0),
    ]


def test_orm_results_are_untouched(client: Client) -> None:
    """What a query returns is what it returned before."""
    User.objects.create(username="a")
    Group.objects.create(name="g")
    with active(start_span("request", totals=Totals())) as span:
        assert list(User.objects.values_list("username", flat=True)) == ["a"]
        assert Group.objects.filter(name="g").update(name="h") == 1
    assert span.totals.query_count == 2


def test_a_long_selects_literals_stay_out_of_findings(log_events: LogEvents) -> None:
    """Of a text longer than is looked at, the fingerprint tells no more than of a short one."""
    values = ", ".join(["5"] * 6_000)
    with sync_run(resource="events", kind="full", trigger="page", account="a"), connection.cursor() as cursor:
        for _ in range(4):
            cursor.execute(f"SELECT 1 WHERE 'anna@example.org' <> '' AND 5 IN ({values})")
    found = assert_event(log_events, "db.n_plus_one_detected")
    assert found["count"] == 4
    assert found["fingerprint"].startswith("SELECT ? WHERE ? <> ? AND ? IN (")
    assert "anna" not in str(found)


def test_a_working_directory_that_is_gone_costs_only_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a deployment that replaces it below a running server: the queries are counted and told of."""
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    with capture_events(slow_query_threshold_ms=0, project_roots=()) as captured:
        outer = Totals()
        with active(start_span("request", totals=outer)), active(start_span("sync", totals=Totals(parent=outer))):
            for _ in range(5):
                Group.objects.count()
    assert outer.query_count == 5
    assert [event["caller"] for event in captured.named("db.slow_query_detected")] == [None] * 5
