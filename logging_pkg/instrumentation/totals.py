"""What a unit of work (request, sync) has done so far: queries and transactions, repeated SQL, cache use, API attempts.

In: one call per query, transaction, cache operation and API attempt, from any thread.
Out: numbers for the unit's canonical event, and of what a request does after it. Never: emits, keeps SQL parameters,
grows without bound.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from logging_pkg import conf
from logging_pkg.context import Span, current_span
from logging_pkg.instrumentation.database.caller import project_caller
from logging_pkg.instrumentation.guard import faults_kept_in

_clock = time.perf_counter_ns

#: Distinct statements remembered per alias; a unit that runs more has other problems, and still counts them all.
MAX_STATEMENTS = 2_000


@dataclass(slots=True)
class Statement:
    """The queries of one shape within a unit, from the second on."""

    count: int
    nanoseconds: int
    caller: str | None = None


@dataclass(slots=True)
class DatabaseTotals:
    """Queries and transactions of one database alias."""

    vendor: str
    count: int = 0
    nanoseconds: int = 0
    duplicates: int = 0
    commits: int = 0
    rollbacks: int = 0
    transaction_nanoseconds: int = 0
    #: By shape; of a shape that was seen once, as most are, just the nanoseconds.
    statements: dict[str, int | Statement] = field(default_factory=dict)

    def repeat(self, shape: str, nanoseconds: int) -> Statement:
        """Count one more query of a shape that was seen before."""
        statement = self.statements[shape]
        if isinstance(statement, int):
            statement = self.statements[shape] = Statement(1, statement)
        self.duplicates += 1
        statement.count += 1
        statement.nanoseconds += nanoseconds
        return statement


@dataclass(slots=True)
class CacheTotals:
    """Use of one cache alias. A hit or miss is one per key asked for, a set or delete one per key written."""

    hits: int = 0
    misses: int = 0
    sets: int = 0
    deletes: int = 0
    nanoseconds: int = 0


@dataclass(slots=True)
class LateWork:
    """What a request did after its event was written."""

    first: int
    last: int = 0
    queries: int = 0
    query_nanoseconds: int = 0
    commits: int = 0
    rollbacks: int = 0
    cache_operations: int = 0
    cache_nanoseconds: int = 0
    api_calls: int = 0
    api_nanoseconds: int = 0


@dataclass(slots=True)
class Ended:
    """A finished request, as far as its late work has to tell of it. Holds no span: that one holds the totals."""

    at: int
    method: str
    route: str
    outcome: str
    correlation_id: str
    span_id: str
    parent_span_id: str | None
    unit_ids: Mapping[str, str]

    def span(self) -> Span:
        """The request's span once more."""
        return Span(self.correlation_id, self.span_id, self.parent_span_id, self.unit_ids)


class Unattributed:
    """Queries that ran outside every unit: in threads that lost their context, at start-up, in commands."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler's or finaliser's query may come while one is being counted.
        self._lock = threading.RLock()
        self.query_count = 0

    def add_query(self) -> None:
        """Count one."""
        with self._lock:
            self.query_count += 1


#: Of this process, since its start.
unattributed = Unattributed()
#: Of finished requests, until the watchdog tells of it.
late_work: dict[Totals, LateWork] = {}
#: Finished requests whose late work is kept apart at one time; the queries of further ones count as unattributed.
MAX_LATE = 1_000
#: What one unit may put off until it has ended; the rest is dropped.
MAX_DEFERRED = 10


class Totals:
    """Counts of one unit. What happens in a nested unit counts for the outer ones too; repeated statements are the
    innermost unit's alone, so that a loop over units is not taken for a loop over rows.

    Args:
        parent: totals of the enclosing unit.
        route: tells the route of the request, once the resolver knows it.
    """

    # Defaults of the class: what a unit does not do costs it nothing.
    api_calls = 0
    api_nanoseconds = 0
    quota_units = 0
    findings = 0
    findings_dropped = 0
    #: Detail events left out by sampling.
    details_dropped = 0
    has_repeated = False
    #: What watching the caches cost within this unit; written without the lock, so nearly exact.
    overhead_nanoseconds = 0
    #: What watching its first query cost. It stands for all of them: each reading of the clock would cost as well.
    query_overhead: int | None = None
    #: What is put off until the outermost unit has told of itself.
    _deferred: list[Callable[[], None]] | None = None
    #: Whether that has come.
    _is_told = False
    #: Set once the request's event has been written: from then on everything counts as late.
    ended: Ended | None = None

    def __init__(self, parent: Totals | None = None, route: Callable[[], str | None] | None = None) -> None:
        # Re-entrant: a signal handler, or a finaliser that the garbage collector runs, may use the same unit in here.
        self._lock = threading.RLock()
        self.parent = parent
        self.route: Callable[[], str | None] = route or (parent.route if parent else _no_route)
        self.databases: dict[str, DatabaseTotals] = {}
        self.caches: dict[str, CacheTotals] = {}
        self.settings = settings = conf.settings()
        self.slow_query_nanoseconds = settings.slow_query_nanoseconds

    def add_query(self, alias: str, vendor: str, shape: str, nanoseconds: int) -> None:
        """Count one query, here and in every enclosing unit.

        Args:
            alias: of the database.
            vendor: Django's name of the database.
            shape: what makes two statements the same one (`sql.shape_of`).
            nanoseconds: it took.
        """
        repeated: Statement | None = None
        with self._lock:
            if self.ended is not None:
                self._add_late_query(nanoseconds)
                return
            database = self.databases.get(alias) or self._database(alias, vendor)
            database.count += 1
            database.nanoseconds += nanoseconds
            if shape in database.statements:
                repeated = database.repeat(shape, nanoseconds)
                is_crossing = repeated.count == self.settings.n_plus_one_threshold + 1
            elif len(database.statements) < MAX_STATEMENTS:
                database.statements[shape] = nanoseconds
        if repeated is not None and is_crossing:
            self.has_repeated = True
            repeated.caller = project_caller()
        if self.parent is not None:
            self.parent._add_nested_query(alias, vendor, nanoseconds, is_duplicate=repeated is not None)

    def _add_nested_query(self, alias: str, vendor: str, nanoseconds: int, *, is_duplicate: bool) -> None:
        totals: Totals | None = self
        while totals is not None:
            with totals._lock:
                if totals.ended is not None:
                    totals._add_late_query(nanoseconds)
                    return
                database = totals._database(alias, vendor)
                database.count += 1
                database.nanoseconds += nanoseconds
                database.duplicates += is_duplicate
            totals = totals.parent

    def note_query_overhead(self, nanoseconds: int) -> None:
        """Keep what watching the first query cost, here and in the enclosing units that had none yet."""
        totals: Totals | None = self
        while totals is not None and totals.query_overhead is None:
            totals.query_overhead = nanoseconds
            totals = totals.parent

    def watching_nanoseconds(self, query_count: int) -> int:
        """What watching its caches and so many queries has cost within this unit."""
        return self.overhead_nanoseconds + (self.query_overhead or 0) * query_count

    def add_transaction(self, alias: str, vendor: str, *, committed: bool, nanoseconds: int) -> None:
        """Count one finished transaction and the time it was open, here and in every enclosing unit."""
        totals: Totals | None = self
        while totals is not None:
            with totals._lock:
                if totals.ended is not None:
                    if (late := totals._late()) is not None:
                        late.commits += committed
                        late.rollbacks += not committed
                    return
                database = totals._database(alias, vendor)
                database.commits += committed
                database.rollbacks += not committed
                database.transaction_nanoseconds += nanoseconds
            totals = totals.parent

    def _database(self, alias: str, vendor: str) -> DatabaseTotals:
        database = self.databases.get(alias)
        if database is None:
            database = self.databases[alias] = DatabaseTotals(vendor)
        return database

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

    def _add_late_query(self, nanoseconds: int) -> None:
        if (late := self._late()) is not None:
            late.queries += 1
            late.query_nanoseconds += nanoseconds
        else:
            unattributed.add_query()

    def _late(self) -> LateWork | None:
        """With the lock held: where work that comes after the end is counted; None where there is too much of it."""
        now = _clock()
        late = late_work.get(self)
        if late is None:
            if len(late_work) >= MAX_LATE:
                return None
            late = late_work[self] = LateWork(now)
        late.last = now
        return late

    def take_late_work(self) -> LateWork | None:
        """What came after the end and has not been taken yet."""
        with self._lock:
            return late_work.pop(self, None)

    def end(self, ended: Ended) -> bool:
        """The unit's event is about to be written: what comes now is late, and these totals change no more.

        False where the unit has ended before.
        """
        with self._lock:
            if self.ended is not None:
                return False
            self.ended = ended
            return True

    def defer(self, work: Callable[[], None]) -> bool | None:
        """Put work off until the outermost unit has told of itself; None where it is too much, False when it has."""
        if self.parent is not None:
            return self.parent.defer(work)
        with self._lock:
            if self._is_told:
                return False
            deferred = self._deferred = self._deferred or []
            if len(deferred) >= MAX_DEFERRED:
                return None
            deferred.append(work)
            return True

    def run_deferred(self) -> None:
        """The unit's event is written: do what was put off. Of a nested unit that is the outermost one's to do."""
        with self._lock:
            self._is_told = True
            deferred, self._deferred = self._deferred, None
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

    @property
    def query_count(self) -> int:
        """Queries so far, all aliases. The watchdog asks without the lock, while further aliases may come."""
        return sum(database.count for database in list(self.databases.values()))

    @property
    def query_nanoseconds(self) -> int:
        """Time in them."""
        return sum(database.nanoseconds for database in list(self.databases.values()))

    def repeated(self) -> list[tuple[str, DatabaseTotals, str, Statement]]:
        """Alias, its totals, fingerprint and counts of what ran more often than the N+1 threshold, most often first."""
        if not self.has_repeated:
            return []
        found = [
            (alias, database, shape, statement)
            for alias, database in self.databases.items()
            for shape, statement in database.statements.items()
            if isinstance(statement, Statement) and statement.count > self.settings.n_plus_one_threshold
        ]
        return sorted(found, key=lambda entry: -entry[3].count)


def current_totals() -> Totals | None:
    """The totals of the running unit; None outside every unit."""
    totals: Totals | None = current_span().totals
    return totals


def _no_route() -> str | None:
    return None
