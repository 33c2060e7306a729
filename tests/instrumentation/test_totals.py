"""What a unit counts, where threads, signals and the garbage collector come in between."""

from __future__ import annotations

import threading
from typing import Any

from logging_pkg.context import Span
from logging_pkg.instrumentation.database.query_totals import MAX_RECENT
from logging_pkg.instrumentation.database.statements import Statement
from logging_pkg.instrumentation.late_work import Ended
from logging_pkg.instrumentation.totals import Totals


def test_a_unit_may_be_used_while_it_is_being_used() -> None:
    """A signal handler or finaliser that runs a query in the middle of counting one does not wait for itself."""
    totals = Totals()

    class Interrupted(dict[Statement, list[int]]):
        def setdefault(self, key: Statement, default: Any = None) -> Any:
            if not self:
                self[Statement("other", "sqlite", "SELECT 2")] = []
                totals.add_query(Statement("other", "sqlite", "SELECT 2"), 1)
                totals.take_finding()
            return super().setdefault(key, default)

    totals.recent = Interrupted()
    counting = threading.Thread(
        target=totals.add_query, args=(Statement("default", "sqlite", "SELECT 1"), 1), daemon=True
    )
    counting.start()
    counting.join(10)
    assert not counting.is_alive()
    assert totals.query_count == 2


def test_threads_count_exactly() -> None:
    """Into a unit and the ones around it."""
    outer = Totals()
    inner = Totals(parent=outer)

    def work() -> None:
        for _ in range(1000):
            inner.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
            inner.add_cache("default", 1, hits=1, misses=2)
            inner.add_api_attempt(1, 3)
            inner.add_transaction("default", "sqlite", committed=True, nanoseconds=1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for totals in (inner, outer):
        database, cache = totals.databases["default"], totals.caches["default"]
        assert (database.count, database.duplicates, database.commits) == (4000, 3999, 4000)
        assert (cache.hits, cache.misses) == (4000, 8000)
        assert (totals.api_calls, totals.quota_units) == (4000, 12_000)


def test_many_queries_of_one_statement_are_added_up_on_the_way() -> None:
    """No list grows with the unit; the sums are exact, and so is what was repeated."""
    totals = Totals()
    statement = Statement("default", "sqlite", "SELECT 1")
    for number in range(3 * MAX_RECENT):
        totals.add_query(statement, number)
        assert len(totals.recent[statement]) <= MAX_RECENT
    assert (totals.query_count, totals.query_nanoseconds) == (3 * MAX_RECENT, sum(range(3 * MAX_RECENT)))
    (repeated,) = totals.repeated()
    assert (repeated.count, repeated.nanoseconds) == (3 * MAX_RECENT, sum(range(3 * MAX_RECENT)))
    assert totals.databases["default"].duplicates == 3 * MAX_RECENT - 1


def test_reading_the_totals_on_the_way_changes_nothing() -> None:
    """What was read between two queries is still known as repeated, and as too often."""
    totals = Totals()
    for number in range(5):
        totals.add_query(Statement("default", "sqlite", "SELECT 1"), 1)
        database = totals.databases["default"]
        assert (database.count, database.duplicates, totals.query_count) == (number + 1, number, number + 1)
    assert totals.has_repeated
    assert [repeated.count for repeated in totals.repeated()] == [5]


def test_each_query_is_the_units_or_late_while_threads_run_on() -> None:
    """Of threads that go on counting while the unit ends no query is lost, and none is counted twice."""
    ended = Ended(0, "GET", "/", "ok", Span("c", "s", None, {}))
    for _ in range(20):
        totals = Totals()
        ready, total = threading.Barrier(5), 4 * 500

        def work(totals: Totals = totals, ready: threading.Barrier = ready) -> None:
            ready.wait()
            for number in range(500):
                totals.add_query(Statement("default", "sqlite", f"SELECT {number % 7}"), 1)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        ready.wait()
        while totals.query_count < total // 4:
            pass
        assert totals.end(ended)
        counted = totals.databases["default"].count
        for thread in threads:
            thread.join()
        late = totals.take_late_work()
        assert totals.databases["default"].count == totals.query_count == counted
        assert counted + (late.queries if late else 0) == total
