"""What a unit of work has done on its databases: queries, transactions, statements repeated.

In: one call per query and transaction, from any thread. Out: totals per alias, and what was repeated too often.
Never: keeps SQL parameters, loses a count between threads, grows without bound.
"""

from __future__ import annotations

from _thread import RLock  # threading's own is a function around it, which runs for each unit
from dataclasses import dataclass
from typing import Self

from logging_pkg import conf
from logging_pkg.instrumentation.database.caller import project_caller
from logging_pkg.instrumentation.database.statements import Statement
from logging_pkg.instrumentation.late_work import Accounted, unattributed

#: Distinct statements remembered; a unit that runs more has other problems, and still counts them all.
MAX_STATEMENTS = 2_000
#: Times of one statement kept apart before they are added up, where the N+1 threshold is lower.
MAX_RECENT = 1_000


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


@dataclass(frozen=True, slots=True)
class Repeated:
    """A statement that ran too often within a unit, and the project's line that ran it."""

    statement: Statement
    count: int
    nanoseconds: int
    caller: str | None


class QueryTotals(Accounted):
    """Queries and transactions of one unit, and those of the units in it.

    Args:
        parent: totals of the enclosing unit.
    """

    def __init__(self, parent: Self | None) -> None:
        self._lock = RLock()
        self.ended = None
        self.parent: Self | None = parent
        #: Whether there is something for `repeated` to tell.
        self.has_repeated = False
        #: What watching its first query cost. It stands for all: each reading of the clock would cost as well.
        self.query_overhead: int | None = None
        self._databases: dict[str, DatabaseTotals] = {}
        #: Nanoseconds of the queries that have not been added up, by statement. Written without the lock, by
        #: `add_query` and by whoever finds a list in here; empty in a nested unit, whose queries count in others, too.
        self.recent: dict[Statement, list[int]] = {}
        #: Count and nanoseconds of those that have been.
        self._statements: dict[Statement, tuple[int, int]] = {}
        #: Statements that may have a list in `recent`.
        self.max_recent = MAX_STATEMENTS if parent is None else 0
        #: The project's line that repeated a statement too often.
        self._callers: dict[Statement, str | None] = {}
        self.settings = settings = conf.settings()
        self.slow_query_nanoseconds = settings.slow_query_nanoseconds
        #: Longer lists of `recent` are to be shown to `look_at`: all of them, once the unit has ended.
        self.look_above = settings.n_plus_one_threshold

    def add_query(self, statement: Statement, nanoseconds: int) -> None:
        """Count one query, here and in every enclosing unit.

        In a request, where most queries run, without a lock: a list takes a statement's times from all threads, none is
        lost, and whoever reads the totals adds them up. `watch.py` does the same without this call: what it does for
        every query of a process is seldom found in the CPU's caches.

        Args:
            statement: that was run.
            nanoseconds: it took.
        """
        recent = self.recent
        times = recent.setdefault(statement, []) if len(recent) < self.max_recent else recent.get(statement)
        if times is None:
            self.add_without_list(statement, nanoseconds)
            return
        times.append(nanoseconds)
        # Asked after it was put down: what comes before the end is added up by `end`, what comes later is seen here.
        if len(times) > self.look_above:
            self.look_at(statement, times)

    def add_without_list(self, statement: Statement, nanoseconds: int) -> None:
        """Count a query of a nested unit, or one whose statement is one too many to be remembered."""
        if self.parent is None:
            self._count(statement, nanoseconds)
        else:
            self._add_nested_query(statement, nanoseconds)

    def look_at(self, statement: Statement, times: list[int]) -> None:
        """A statement was repeated, or the unit has ended: whose line is it, is it time to add up, did it come late."""
        self._note_repeated(statement, len(times))
        if len(times) > MAX_RECENT:
            with self._lock:
                self._add_up()
        if self.ended is not None:
            self._take_as_late()

    def _note_repeated(self, statement: Statement, count: int) -> None:
        if count <= self.settings.n_plus_one_threshold:
            return
        self.has_repeated = True
        callers = self._callers
        if statement not in callers:
            callers[statement] = None  # first of all: finding the caller may run code that queries
            callers[statement] = project_caller()

    def _count(self, statement: Statement, nanoseconds: int, *, is_duplicate: bool = False) -> bool:
        """Count a query without remembering its statement; False where it came late."""
        with self._lock:
            if self.ended is not None:
                self._add_late_queries(1, nanoseconds)
                return False
            database = self._database(statement.alias, statement.vendor)
            database.count += 1
            database.nanoseconds += nanoseconds
            database.duplicates += is_duplicate
            return True

    def _add_nested_query(self, statement: Statement, nanoseconds: int) -> None:
        with self._lock:
            if self.ended is not None:
                self._add_late_queries(1, nanoseconds)
                return
            count = self._add(statement, 1, nanoseconds)
        self._note_repeated(statement, count)
        totals = self.parent
        while totals is not None and totals._count(statement, nanoseconds, is_duplicate=count > 1):
            totals = totals.parent

    def _add(self, statement: Statement, count: int, nanoseconds: int) -> int:
        """With the lock held: count queries of one statement; how many there have been of it."""
        count_before, nanoseconds_before = self._statements.get(statement, (0, 0))
        database = self._database(statement.alias, statement.vendor)
        database.count += count
        database.nanoseconds += nanoseconds
        database.duplicates += count if count_before else count - 1
        if count_before or len(self._statements) < MAX_STATEMENTS:
            self._statements[statement] = count_before + count, nanoseconds_before + nanoseconds
        return count_before + count

    def _complete(self) -> None:
        # From now on every query is looked at.
        self.look_above = -1
        self._add_up(is_last=True)

    def _add_up(self, *, is_last: bool = False) -> None:
        """With the lock held: move what was put down without it into the totals.

        Args:
            is_last: nothing comes after it, so a statement that was run once need not be remembered.
        """
        threshold = self.settings.n_plus_one_threshold
        is_short = is_last and not self._statements and threshold > 0
        alias, database = None, None
        for statement, times in list(self.recent.items()):
            if is_short and len(times) == 1:
                # What `_add` does, for nearly every statement of nearly every request.
                if database is None or statement.alias != alias:
                    alias = statement.alias
                    database = self._database(alias, statement.vendor)
                database.count += 1
                database.nanoseconds += times.pop()
                continue
            # One copy: what another thread puts down meanwhile stays.
            taken = times[:]
            count = len(taken)
            del times[:count]
            if count and self._add(statement, count, sum(taken)) > threshold:
                self.has_repeated = True

    def _take_as_late(self) -> None:
        """What was put down after the end is late work."""
        with self._lock:
            for times in list(self.recent.values()):
                if taken := times[:]:
                    del times[: len(taken)]
                    self._add_late_queries(len(taken), sum(taken))

    def note_query_overhead(self, nanoseconds: int) -> None:
        """Keep what watching the first query cost, here and in the enclosing units that had none yet."""
        totals: QueryTotals | None = self
        while totals is not None and totals.query_overhead is None:
            totals.query_overhead = nanoseconds
            totals = totals.parent

    def add_transaction(self, alias: str, vendor: str, *, committed: bool, nanoseconds: int) -> None:
        """Count one finished transaction and the time it was open, here and in every enclosing unit."""
        totals: QueryTotals | None = self
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
        database = self._databases.get(alias)
        if database is None:
            database = self._databases[alias] = DatabaseTotals(vendor)
        return database

    def _add_late_queries(self, count: int, nanoseconds: int) -> None:
        if (late := self._late()) is not None:
            late.queries += count
            late.query_nanoseconds += nanoseconds
        else:
            unattributed.add_queries(count)

    @property
    def databases(self) -> dict[str, DatabaseTotals]:
        """Totals by alias, of all queries so far; once the unit has ended they change no more."""
        if self.ended is None:
            self._bring_up_to_date()
        return self._databases

    def _bring_up_to_date(self) -> None:
        with self._lock:
            if self.ended is None:  # what was put down since then is late
                self._add_up()

    @property
    def query_count(self) -> int:
        """Queries so far, all aliases. The watchdog asks without the lock, while further ones may come."""
        counted = sum(database.count for database in list(self._databases.values()))
        return counted if self.ended else counted + sum(len(times) for times in list(self.recent.values()))

    @property
    def query_nanoseconds(self) -> int:
        """Time in them."""
        counted = sum(database.nanoseconds for database in list(self._databases.values()))
        return counted if self.ended else counted + sum(sum(times) for times in list(self.recent.values()))

    def repeated(self) -> list[Repeated]:
        """What ran more often than the N+1 threshold, most often first."""
        self._bring_up_to_date()
        found = [
            Repeated(statement, count, nanoseconds, self._callers.get(statement))
            for statement, (count, nanoseconds) in list(self._statements.items())
            if count > self.settings.n_plus_one_threshold
        ]
        return sorted(found, key=lambda entry: -entry.count)
