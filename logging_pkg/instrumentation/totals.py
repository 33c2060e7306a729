"""What a unit of work (request, sync) has done so far: queries per alias, repeated SQL, API attempts, findings.

In: one call per query and API attempt, from any thread. Out: numbers for the unit's canonical event.
Never: emits, keeps SQL parameters, grows without bound.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from logging_pkg import conf
from logging_pkg.context import current_span
from logging_pkg.instrumentation.caller import project_caller

#: Distinct statements remembered per alias; a unit that runs more has other problems, and still counts them all.
MAX_STATEMENTS = 2_000


@dataclass(slots=True)
class Statement:
    """One parametrised SQL text within a unit."""

    count: int = 0
    nanoseconds: int = 0
    caller: str | None = None


@dataclass(slots=True)
class DatabaseTotals:
    """Queries of one database alias."""

    vendor: str
    count: int = 0
    nanoseconds: int = 0
    duplicates: int = 0
    statements: dict[str, Statement] = field(default_factory=dict)


class Totals:
    """Counts of one unit. What happens in a nested unit counts for the outer ones too.

    Args:
        parent: totals of the enclosing unit.
        route: tells the route of the request, once the resolver knows it.
    """

    __slots__ = (
        "_lock",
        "api_calls",
        "api_nanoseconds",
        "databases",
        "findings",
        "findings_dropped",
        "has_repeated",
        "n_plus_one_threshold",
        "parent",
        "quota_units",
        "route",
    )

    def __init__(self, parent: Totals | None = None, route: Callable[[], str | None] | None = None) -> None:
        self._lock = threading.Lock()
        self.parent = parent
        self.route: Callable[[], str | None] = route or (parent.route if parent else _no_route)
        self.databases: dict[str, DatabaseTotals] = {}
        self.api_calls = 0
        self.api_nanoseconds = 0
        self.quota_units = 0
        self.findings = 0
        self.findings_dropped = 0
        self.has_repeated = False
        self.n_plus_one_threshold = conf.settings().n_plus_one_threshold

    def add_query(self, alias: str, vendor: str, sql: str, nanoseconds: int) -> None:
        """Count one query, here and in every enclosing unit."""
        totals: Totals | None = self
        while totals is not None:
            totals._add_query(alias, vendor, sql, nanoseconds)
            totals = totals.parent

    def _add_query(self, alias: str, vendor: str, sql: str, nanoseconds: int) -> None:
        with self._lock:
            database = self.databases.get(alias)
            if database is None:
                database = self.databases[alias] = DatabaseTotals(vendor)
            database.count += 1
            database.nanoseconds += nanoseconds
            statement = database.statements.get(sql)
            if statement is None:
                if len(database.statements) >= MAX_STATEMENTS:
                    return
                database.statements[sql] = Statement(1, nanoseconds)
                return
            database.duplicates += 1
            statement.count += 1
            statement.nanoseconds += nanoseconds
            crosses = statement.count == self.n_plus_one_threshold + 1
        if crosses:
            self.has_repeated = True
            statement.caller = project_caller()

    def add_api_attempt(self, nanoseconds: int, quota_units: int) -> None:
        """Count one Google API attempt, here and in every enclosing unit."""
        totals: Totals | None = self
        while totals is not None:
            with totals._lock:
                totals.api_calls += 1
                totals.api_nanoseconds += nanoseconds
                totals.quota_units += quota_units
            totals = totals.parent

    def take_finding(self) -> bool:
        """Whether one more finding may be emitted; if not, it is counted as dropped."""
        with self._lock:
            if self.findings < conf.settings().max_findings:
                self.findings += 1
                return True
            self.findings_dropped += 1
            return False

    @property
    def query_count(self) -> int:
        """Queries so far, all aliases."""
        return sum(database.count for database in self.databases.values())

    @property
    def query_nanoseconds(self) -> int:
        """Time in them."""
        return sum(database.nanoseconds for database in self.databases.values())

    @property
    def duplicate_count(self) -> int:
        """Queries whose SQL had already run in this unit."""
        return sum(database.duplicates for database in self.databases.values())

    def repeated(self) -> list[tuple[str, DatabaseTotals, str, Statement]]:
        """Alias, its totals, SQL and counts of each statement over the N+1 threshold, most frequent first."""
        if not self.has_repeated:
            return []
        found = [
            (alias, database, sql, statement)
            for alias, database in self.databases.items()
            for sql, statement in database.statements.items()
            if statement.count > self.n_plus_one_threshold
        ]
        return sorted(found, key=lambda entry: -entry[3].count)


def current_totals() -> Totals | None:
    """The totals of the running unit; None outside every unit."""
    totals: Totals | None = current_span().totals
    return totals


def milliseconds(nanoseconds: int) -> float:
    """Nanoseconds as milliseconds with microsecond resolution: what events carry."""
    return round(nanoseconds / 1_000_000, 3)


def _no_route() -> str | None:
    return None
