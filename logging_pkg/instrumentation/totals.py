"""What a unit of work (request, sync) has done so far: queries and transactions, repeated SQL, cache use, API attempts.

In: one call per query, transaction, cache operation and API attempt, from any thread.
Out: numbers for the unit's canonical event, and of what a request does after it. Never: emits, keeps SQL parameters,
grows without bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from logging_pkg.context import current_span
from logging_pkg.instrumentation.database.query_totals import QueryTotals
from logging_pkg.instrumentation.guard import faults_kept_in


@dataclass(slots=True)
class CacheTotals:
    """Use of one cache alias. A hit or miss is one per key asked for, a set or delete one per key written."""

    hits: int = 0
    misses: int = 0
    sets: int = 0
    deletes: int = 0
    nanoseconds: int = 0


#: What one unit may put off until it has ended; the rest is dropped.
MAX_DEFERRED = 10


class Totals(QueryTotals):
    """Counts of one unit. What happens in a nested unit counts for the outer ones too; repeated statements are the
    innermost unit's alone, so that a loop over units is not taken for a loop over rows.

    Args:
        parent: totals of the enclosing unit.
        route: tells the route of the request, once the resolver knows it.
    """

    # Defaults of the class, for what is read seldom. What each unit's end reads is the unit's own: Python finds that in
    # fewer steps.
    api_nanoseconds = 0
    quota_units = 0
    findings = 0
    #: Whether the outermost unit has told of itself.
    _is_told = False

    def __init__(self, parent: Totals | None = None, route: Callable[[], str | None] | None = None) -> None:
        QueryTotals.__init__(self, parent)  # `super()` would be one more object for each unit
        self.route: Callable[[], str | None] = route or (parent.route if parent else _no_route)
        self.caches: dict[str, CacheTotals] = {}
        self.api_calls = 0
        self.findings_dropped = 0
        #: Detail events left out by sampling.
        self.details_dropped = 0
        #: What watching the caches cost within this unit; written without the lock, so nearly exact.
        self.overhead_nanoseconds = 0
        #: What is put off until the outermost unit has told of itself; no more of it once this one has ended.
        self.deferred: list[Callable[[], None]] | None = None

    def watching_nanoseconds(self, query_count: int) -> int:
        """What watching its caches and so many queries has cost within this unit."""
        return self.overhead_nanoseconds + (self.query_overhead or 0) * query_count

    def add_cache(
        self, alias: str, nanoseconds: int, *, hits: int = 0, misses: int = 0, sets: int = 0, deletes: int = 0
    ) -> None:
        """Count one cache operation, here and in every enclosing unit."""
        totals: Totals | None = self
        while totals is not None:
            with totals._lock:
                if totals.ended is not None:
                    if (late := totals._late()) is not None:
                        late.cache_operations += 1
                        late.cache_nanoseconds += nanoseconds
                    return
                cache = totals.caches.get(alias)
                if cache is None:
                    cache = totals.caches[alias] = CacheTotals()
                cache.hits += hits
                cache.misses += misses
                cache.sets += sets
                cache.deletes += deletes
                cache.nanoseconds += nanoseconds
            totals = totals.parent

    def add_api_attempt(self, nanoseconds: int, quota_units: int) -> None:
        """Count one Google API attempt, here and in every enclosing unit."""
        totals: Totals | None = self
        while totals is not None:
            with totals._lock:
                if totals.ended is not None:
                    if (late := totals._late()) is not None:
                        late.api_calls += 1
                        late.api_nanoseconds += nanoseconds
                    return
                totals.api_calls += 1
                totals.api_nanoseconds += nanoseconds
                totals.quota_units += quota_units
            totals = totals.parent

    def defer(self, work: Callable[[], None]) -> bool | None:
        """Put work off until the outermost unit has told of itself; None where it is too much, False where late."""
        if self.parent is not None:
            return self.parent.defer(work)
        with self._lock:
            if self._is_told or self.ended is not None:
                return False
            deferred = self.deferred = self.deferred or []
            if len(deferred) >= MAX_DEFERRED:
                return None
            deferred.append(work)
            return True

    def run_deferred(self) -> None:
        """The unit's event is written: do what was put off. Of a nested unit that is the outermost one's to do."""
        with self._lock:
            self._is_told = True
            deferred, self.deferred = self.deferred, None
        for work in deferred or ():
            with faults_kept_in():
                work()

    def drop_detail(self) -> None:
        """Count a detail event left out by sampling, here and in every enclosing unit."""
        totals: Totals | None = self
        while totals is not None:
            with totals._lock:
                totals.details_dropped += 1
            totals = totals.parent

    def take_finding(self) -> bool:
        """Whether one more finding may be emitted; if not, it is counted as dropped."""
        with self._lock:
            if self.findings < self.settings.max_findings:
                self.findings += 1
                return True
            self.findings_dropped += 1
            return False


def current_totals() -> Totals | None:
    """The totals of the running unit; None outside every unit."""
    totals: Totals | None = current_span().totals
    return totals


def _no_route() -> str | None:
    return None
