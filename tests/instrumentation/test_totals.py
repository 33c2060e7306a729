"""What a unit counts, where threads, signals and the garbage collector come in between."""

from __future__ import annotations

import threading
from typing import Any

from logging_pkg.instrumentation.totals import DatabaseTotals, Totals


def test_a_unit_may_be_used_while_it_is_being_used() -> None:
    """A signal handler or finaliser that runs a query in the middle of counting one does not wait for itself."""
    totals = Totals()

    class Interrupted(dict[str, DatabaseTotals]):
        def get(self, key: str, default: Any = None) -> Any:
            if not self:
                self["other"] = DatabaseTotals("sqlite")
                totals.add_query("other", "sqlite", "SELECT 2", 1)
                totals.take_finding()
            return super().get(key, default)

    totals.databases = Interrupted()
    counting = threading.Thread(target=totals.add_query, args=("default", "sqlite", "SELECT 1", 1), daemon=True)
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
            inner.add_query("default", "sqlite", "SELECT 1", 1)
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
