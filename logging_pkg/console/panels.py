"""What a page is made of: numbers, charts, tables and lists, each with the queries behind it.

In: Questions. Out: what templates show, once the answers are there. Never: markup, a number without its query.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import orjson

from logging_pkg.console.desk import Question
from logging_pkg.console.numbers import as_shown, number
from logging_pkg.loki_client import Vector

Status = Literal["good", "bad", "plain"]
#: More lines than this in one chart cannot be told apart.
_MAX_SERIES = 8


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
        seen = as_shown(value, self.unit)
        return "bad" if (seen < self.limit if self.is_floor else seen > self.limit) else "good"


@dataclass(frozen=True, slots=True)
class Drawing:
    """A chart with its answer.

    Attributes:
        json: what the page's script draws: times in s, a list of values per line, null where there is none. The page
            holds it in an attribute, since HTMX here drops every script of an answer.
        summary: the same for those who do not see it: the newest value of each line.
        left_out: lines that are not drawn.
    """

    json: str
    summary: str
    left_out: int


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
    def drawing(self) -> Drawing:
        """What the page shows of it; ask once."""
        found = self.questions[0].answer.value.series
        until = int(time.time())
        drawn = sorted(found, key=lambda series: -max((s.value for s in series.samples), default=0.0))[:_MAX_SERIES]
        times = sorted({sample.timestamp_ns // 1_000_000_000 for series in found for sample in series.samples})
        lines: list[tuple[str, list[float | None]]] = []
        for series in sorted(drawn, key=lambda series: self._name(series.labels)):
            values = {sample.timestamp_ns // 1_000_000_000: sample.value for sample in series.samples}
            points = [values.get(moment) for moment in times]
            lines.append((self._name(series.labels), [_finite(point) for point in points]))
        data = {
            "title": self.title,
            "unit": self.unit,
            "limit": self.limit,
            "from": until - self.window_s,
            "to": until,
            "times": times,
            "lines": [{"label": name, "values": values} for name, values in lines],
        }
        told = [(name, [value for value in values if value is not None]) for name, values in lines]
        newest = ", ".join(f"{name} {number(v[-1], self.unit)}" for name, v in told if v)
        return Drawing(orjson.dumps(data).decode(), f"{self.title}, newest: {newest}", len(found) - len(drawn))

    def _name(self, labels: Mapping[str, str]) -> str:
        return " ".join(labels.get(name) or "–" for name in self.names) or "all"


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
    """What a query that counts events found, in all of its groups: where there is no sample there was none."""
    return sum(sample.value for sample in vector.samples)


def share(some: Vector, of: Vector) -> float | None:
    """The share of two counts, 0 to 1; None where there is nothing to have a share of."""
    return counted(some) / total if (total := counted(of)) else None


def rest(some: Vector, of: Vector) -> float | None:
    """What is left of all besides that share."""
    found = share(some, of)
    return None if found is None else 1 - found


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
