"""What a page is made of: numbers, charts, tables and lists, each with the queries behind it.

In: Questions. Out: what templates show, once the answers are there. Never: markup, a number without its query.
"""

from __future__ import annotations

import math
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import orjson
from django.urls import reverse

from logging_pkg.analysis.describe import detail, label, short_statement
from logging_pkg.analysis.tables import Column, Table, TableRow
from logging_pkg.analysis.trace import CANONICAL_EVENTS
from logging_pkg.console.desk import Desk, Question
from logging_pkg.console.numbers import ago, number
from logging_pkg.console.selection import Selection
from logging_pkg.loki_client import Vector
from logging_pkg.pipeline.event_tables import column_query, rows_from
from logging_pkg.schemas.conventions import CORRELATION_ID_PATTERN

Status = Literal["good", "bad", "plain"]
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
#: More lines than this in one chart cannot be told apart.
_MAX_SERIES = 8


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
class Panel:
    """Something with a title that comes from questions.

    Attributes:
        title: what it shows.
        questions: all it is computed from.
        note: what to know of it.
        link: where there is more.
    """

    kind: ClassVar[str] = ""

    title: str
    questions: tuple[Question, ...]
    note: str = ""
    link: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether every answer is there."""
        return all(question.answer.state == "ready" for question in self.questions)

    @property
    def problem(self) -> str:
        """What went wrong; empty where nothing did, or not yet."""
        answers = [question.answer for question in self.questions]
        return next((answer.problem for answer in answers if answer.state == "failed"), "")

    @property
    def failed_server(self) -> str:
        """Who gave no answer."""
        return next((question.server for question in self.questions if question.answer.state == "failed"), "")

    @property
    def waiting_server(self) -> str:
        """Whose answer is still to come."""
        return next((question.server for question in self.questions if question.answer.state == "waiting"), "")

    @property
    def template(self) -> str:
        """What shows it, once it is ready."""
        return f"logging_pkg/console/panels/{self.kind}.html"


@dataclass(frozen=True, slots=True)
class Tile(Panel):
    """One number.

    Attributes:
        unit: as for `number`.
        limit: beyond which it is bad; None where there is no such.
        is_floor: whether it is bad below the limit, and not above.
        target: the limit in words.
        read: the number of the answers; the first sample's value when None.
        empty: what is said where there is no number.
    """

    kind: ClassVar[str] = "tile"

    unit: str = ""
    limit: float | None = None
    is_floor: bool = False
    target: str = ""
    read: Callable[..., float | None] | None = None
    empty: str = "no events"

    @property
    def value(self) -> float | None:
        """The number; None where no event has one."""
        answers = [question.answer.value for question in self.questions]
        return self.read(*answers) if self.read is not None else first(answers[0])

    @property
    def text(self) -> str:
        """The number as it is shown."""
        return number(self.value, self.unit)

    @property
    def status(self) -> Status:
        """How it stands to its limit."""
        value = self.value
        if value is None or self.limit is None:
            return "plain"
        return "bad" if (value < self.limit if self.is_floor else value > self.limit) else "good"


@dataclass(frozen=True, slots=True)
class Chart(Panel):
    """Recorded series over time.

    Attributes:
        unit: as for `number`.
        names: labels that name a line.
        limit: a line across, where there is one.
        window_s: how far back it reaches.
    """

    kind: ClassVar[str] = "chart"

    unit: str = ""
    names: tuple[str, ...] = ()
    limit: float | None = None
    window_s: int = 3600

    @property
    def has_points(self) -> bool:
        """Whether there is anything to draw."""
        return any(series.samples for series in self.questions[0].answer.value.series)

    @property
    def data(self) -> dict[str, Any]:
        """What the page's script draws: times in s, a list of values per line, null where there is none."""
        found = self.questions[0].answer.value.series
        until = int(time.time())
        drawn = sorted(found, key=lambda series: -max((s.value for s in series.samples), default=0.0))[:_MAX_SERIES]
        times = sorted({sample.timestamp_ns // 1_000_000_000 for series in found for sample in series.samples})
        lines = []
        for series in sorted(drawn, key=lambda series: self._name(series.labels)):
            values = {sample.timestamp_ns // 1_000_000_000: sample.value for sample in series.samples}
            points = [values.get(moment) for moment in times]
            lines.append({"label": self._name(series.labels), "values": [_finite(point) for point in points]})
        return {
            "title": self.title,
            "unit": self.unit,
            "limit": self.limit,
            "from": until - self.window_s,
            "to": until,
            "times": times,
            "lines": lines,
            "left_out": len(found) - len(drawn),
        }

    @property
    def json(self) -> str:
        """The same as the page holds it: in an attribute, since HTMX here drops every script of an answer."""
        return orjson.dumps(self.data).decode()

    @property
    def summary(self) -> str:
        """The same for those who do not see it: the newest value of each line."""
        told = [(line["label"], [v for v in line["values"] if v is not None]) for line in self.data["lines"]]
        return f"{self.title}, newest: " + ", ".join(f"{name} {number(v[-1], self.unit)}" for name, v in told if v)

    def _name(self, labels: Mapping[str, str]) -> str:
        return " ".join(labels.get(name) or "–" for name in self.names) or "all"


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

    @property
    def headings(self) -> list[tuple[Column, Question]]:
        """Each column with its query."""
        return list(zip(self.table.columns, self.questions, strict=True))

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
        is_id = CORRELATION_ID_PATTERN.fullmatch(some_id) is not None
        return reverse("logging_pkg_console:trace_of", args=[some_id]) if is_id else ""

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


@dataclass(frozen=True, slots=True)
class Section:
    """Panels that belong together, in a row or below each other."""

    panels: tuple[Panel, ...]
    layout: Literal["tiles", "charts", "wide", "lists"] = "wide"
    title: str = ""


def first(vector: Vector) -> float | None:
    """The value of a query that has one."""
    return vector.samples[0].value if vector.samples else None


def counted(vector: Vector) -> float:
    """The value of a query that counts events: where there is no sample there was none."""
    return first(vector) or 0.0


def table_panel(desk: Desk, table: Table, note: str = "", empty: str = "nothing in this time") -> TablePanel:
    """Ask for a table, a query per column."""
    chosen = desk.selection
    questions = tuple(
        desk.logql(column_query(table, column, chosen.window_s, chosen.scope)) for column in table.columns
    )
    search = reverse("logging_pkg_console:search")
    return TablePanel(table.title, questions, note, table=table, selection=chosen, search=search, empty=empty)


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
    if column.title == "ok":
        return value < _LEAST_OK
    limit = _LIMITS.get((column.title, column.field))
    return limit is not None and value > limit


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
