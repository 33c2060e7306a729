"""Panels with rows: tables of groups, lists of events.

In: Questions. Out: rows as templates show them, each with where it leads. Never: markup, a failure because a line is
of another shape.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import urlencode

import orjson
from django.urls import reverse

from logging_pkg import conf
from logging_pkg.analysis.describe import detail, label, short_statement
from logging_pkg.analysis.tables import Column, Table, TableRow
from logging_pkg.analysis.trace import CANONICAL_EVENTS
from logging_pkg.console.desk import Desk, Question
from logging_pkg.console.numbers import ago, as_shown, number
from logging_pkg.console.panels import Panel
from logging_pkg.console.recorded import heading, recorded_query
from logging_pkg.console.selection import Selection
from logging_pkg.pipeline.correlation import needs_time
from logging_pkg.pipeline.event_tables import column_query, rows_from
from logging_pkg.schemas.conventions import CORRELATION_ID_PATTERN

#: Of a table or list on a page; the whole is a search away.
ROWS = 10
#: The service levels, for single rows: over these a number is bad, by its column's title and field.
_LIMITS: Mapping[tuple[str, str], float] = {
    ("errors", "is_error"): 0.01,
    ("p95", "response_time_ms"): 500,
    ("queries", "query_count"): 5,
    ("rate limited", "is_rate_limited"): 0,
}
_LEAST_OK = 0.99
#: What a finding says of a route.
_FINDINGS: Mapping[str, str] = {
    "db.n_plus_one_detected": "N+1 in",
    "db.slow_query_detected": "slow query in",
    "db.high_query_count_detected": "many queries in",
    "db.query_explained": "plan of a query in",
    "http.slow_request_detected": "slow:",
    "http.request_stuck": "stuck:",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of a table."""

    text: str
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A group of a table: its texts with the full ones behind them, its numbers, where its events are."""

    keys: tuple[tuple[str, str], ...]
    cells: tuple[Cell, ...]
    link: str


@dataclass(frozen=True, slots=True)
class TablePanel(Panel):
    """A Table, a question per column."""

    kind: ClassVar[str] = "table"

    table: Table = field(default_factory=lambda: Table("", "", (), (), ""))
    selection: Selection = field(default_factory=Selection)
    search: str = ""
    empty: str = "nothing in this time"

    def question(self, title: str) -> Question:
        """The one behind a column: what adds up its groups need not ask Loki to read the same lines again."""
        return self.questions[[column.title for column in self.table.columns].index(title)]

    @property
    def headings(self) -> list[tuple[str, Question]]:
        """Each column's title with its query."""
        return [
            (heading(column) if question.language == "PromQL" else column.title, question)
            for column, question in zip(self.table.columns, self.questions, strict=True)
        ]

    @property
    def rows(self) -> list[ShownRow]:
        """The highest first."""
        samples = [question.answer.value for question in self.questions]
        return [self._row(row) for row in rows_from(self.table, samples, ROWS)]

    def _row(self, row: TableRow) -> ShownRow:
        named = list(zip(self.table.by, row.key, strict=True))
        keys = tuple((short_statement(text) if name == "fingerprint" else text, text) for name, text in named)
        cells = tuple(
            Cell(number(value, column.unit), is_bad=_is_bad(column, value))
            for column, value in zip(self.table.columns, row.values, strict=True)
        )
        conditions = " ".join(shlex.quote(f"{name}={text}") for name, text in (*named, *self.table.where))
        return ShownRow(keys, cells, self.search + self.selection.query(event=self.table.event, q=conditions))


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event in a list."""

    event: Mapping[str, Any]
    label: str
    detail: str
    duration: str
    time: str
    ago: str

    @property
    def level(self) -> str:
        """How bad its writer found it."""
        return str(self.event.get("level", ""))

    @property
    def correlation_id(self) -> str:
        """What it belongs to."""
        return str(self.event.get("correlation_id", ""))

    @property
    def error(self) -> str:
        """What was raised, without the module it is from."""
        return str(self.event.get("error_type") or "").rpartition(".")[2]

    @property
    def short_id(self) -> str:
        """Its first digits: they say when it was, so that IDs of one moment differ only behind them."""
        return f"{self.correlation_id[:16]}…"

    @property
    def trace(self) -> str:
        """Where its waterfall is; nothing where the ID is none."""
        some_id = self.correlation_id
        if CORRELATION_ID_PATTERN.fullmatch(some_id) is None:
            return ""
        address = reverse("logging_pkg_console:trace_of", args=[some_id])
        try:
            at = {"at": self.time} if needs_time(self.event) else {}
        except (ValueError, TypeError):
            at = {}  # a time that is none leads nowhere
        return f"{address}?{urlencode(at)}" if at else address

    @property
    def json(self) -> str:
        """All of it."""
        return orjson.dumps(self.event, option=orjson.OPT_INDENT_2).decode()


@dataclass(frozen=True, slots=True)
class EventList(Panel):
    """The newest events of a search, newest first."""

    kind: ClassVar[str] = "events"

    empty: str = "none in this time"

    @property
    def events(self) -> list[ShownEvent]:
        """Those that are JSON objects; anybody can push a line."""
        return [shown for line in self.questions[0].answer.value if (shown := shown_event(line)) is not None]


def table_panel(desk: Desk, table: Table, note: str = "", empty: str = "nothing in this time") -> TablePanel:
    """Ask for a table, a query per column: of recorded series where there are such and a Prometheus, else of lines."""
    chosen = desk.selection
    questions = tuple(_column(desk, table, column) for column in table.columns)
    search = reverse("logging_pkg_console:search")
    return TablePanel(table.title, questions, note, table=table, selection=chosen, search=search, empty=empty)


def _column(desk: Desk, table: Table, column: Column) -> Question:
    chosen = desk.selection
    recorded = recorded_query(table, column, chosen) if conf.settings().prometheus_url else None
    if recorded is not None:
        return desk.promql(recorded)
    return desk.logql(column_query(table, column, chosen.window_s, chosen.scope))


def shown_event(line: str) -> ShownEvent | None:
    """A line as a list shows it; None where it is no event."""
    try:
        event = orjson.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or not isinstance(event.get("event"), str):
        return None
    try:
        told, more = label(event), detail(event)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        told, more = event["event"], ""  # of another version, or not of this pipeline
    if (finding := _FINDINGS.get(event["event"])) is not None and event.get("route"):
        told = f"{finding} {event['route']}"
    length = event.get(CANONICAL_EVENTS.get(event["event"], ""))
    moment = str(event.get("timestamp", ""))
    return ShownEvent(
        event, told, more, number(length, "ms") if isinstance(length, int | float) else "", moment, ago(moment)
    )


def _is_bad(column: Column, value: float | None) -> bool:
    if value is None:
        return False
    value = as_shown(value, column.unit)
    if column.title == "ok":
        return value < _LEAST_OK
    limit = _LIMITS.get((column.title, column.field))
    return limit is not None and value > limit
