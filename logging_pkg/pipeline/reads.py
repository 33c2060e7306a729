"""What a LogQL query reads: of which events, which fields, and which of their values it asks for.

In: a parsed query and a registry. Out: LogRead values with offsets in the query. Never: an opinion on them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from logging_pkg.pipeline.lint.labels import events_of
from logging_pkg.pipeline.logql import ast
from logging_pkg.pipeline.logql.pipeline import matches
from logging_pkg.schemas import Registry
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA

_INDEX = re.compile(r"\[\d+\]")
_KEY = re.compile(r"\[\"([^\"]+)\"\]")
#: An event that nobody has declared: a selector that takes it chooses no event.
_UNHEARD_OF = "unheard_of.thing_done"
#: Label -> the field it came from, as a path such as `queries[].alias`; None for a text the query itself made.
_Paths: TypeAlias = dict[str, str | None]


@dataclass(frozen=True, slots=True)
class FieldRead:
    """One place where a query reads a field.

    Attributes:
        field: path from the top of the line, `queries[].alias`.
        start, end: offsets in the query.
        role: `extracted`, `filtered`, `grouped` or `unwrapped`.
        op, value: of a filter.
    """

    field: str
    start: int
    end: int
    role: str
    op: str = ""
    value: str | float = ""

    def asks_for(self, option: Any) -> bool:
        """Whether it is a filter that an option of the field passes, and that says so."""
        if self.role != "filtered" or self.op not in {"=", "==", "=~"} or isinstance(option, bool):
            return False
        if self.op == "=~":
            return re.fullmatch(str(self.value), str(option)) is not None
        if isinstance(self.value, int | float):
            return isinstance(option, int | float) and float(option) == float(self.value)
        return str(option) == self.value


@dataclass(frozen=True, slots=True)
class LogRead:
    """One selector with its pipeline.

    Attributes:
        events: the declared events it selects.
        is_choice: whether it says which events it takes; `event=~".+"` and the like take whatever comes.
        start, end: offsets of the selector in the query.
        fields: what it reads of them.
    """

    events: tuple[str, ...]
    is_choice: bool
    start: int
    end: int
    fields: tuple[FieldRead, ...]


def log_reads(expression: ast.Expression, registry: Registry) -> list[LogRead]:
    """What each selector of a query reads, the groupings around it included."""
    return list(_reads(expression, (), registry))


def is_within(field: str, changed: str) -> bool:
    """Whether a field path is another one, or lies below it."""
    return field == changed or field.startswith((f"{changed}.", f"{changed}["))


def _reads(part: ast.Expression, groupings: tuple[ast.Name, ...], registry: Registry) -> Iterator[LogRead]:
    match part:
        case ast.LogQuery():
            yield _read(part, groupings, registry)
        case ast.RangeAggregation():
            yield from _reads(part.query, (*groupings, *_labels(part.grouping)), registry)
        case ast.VectorAggregation():
            yield from _reads(part.operand, (*groupings, *_labels(part.grouping)), registry)
        case ast.LabelReplace():
            yield from _reads(part.operand, (*groupings, part.source), registry)
        case ast.BinaryOperation():
            joined = part.matching.labels if part.matching else ()
            for side in (part.left, part.right):
                yield from _reads(side, (*groupings, *joined), registry)
        case _:
            pass


def _labels(grouping: ast.Grouping | None) -> tuple[ast.Name, ...]:
    return grouping.labels if grouping else ()


def _read(query: ast.LogQuery, groupings: Sequence[ast.Name], registry: Registry) -> LogRead:
    events = tuple(events_of(query.selector, registry))
    paths: _Paths = {name: name for name in (*STREAM_LABELS, *STRUCTURED_METADATA)}
    found = [
        _of(matcher.name, matcher.name.text, "filtered", matcher.op, matcher.value.text)
        for matcher in query.selector.matchers
        if matcher.name.text != "event"
    ]
    for stage in query.stages:
        found += _in_stage(stage, paths)
        _after(stage, paths, events, registry)
    found += [_of(name, path, "grouped") for name in groupings if (path := paths.get(name.text))]
    chooses = [matcher for matcher in query.selector.matchers if matcher.name.text == "event"]
    is_choice = not all(matches(matcher, _UNHEARD_OF) for matcher in chooses)
    return LogRead(events, is_choice, query.selector.start, query.selector.end, tuple(found))


def _of(name: ast.Name, path: str, role: str, op: str = "", value: str | float = "") -> FieldRead:
    return FieldRead(path, name.start, name.end, role, op, value)


def _in_stage(stage: ast.Stage, paths: _Paths) -> Iterator[FieldRead]:
    match stage:
        case ast.ParserStage(kind="json"):
            for extraction in stage.extractions:
                yield _of(extraction.path, _path(extraction.path.text), "extracted")
        case ast.LabelFilter():
            for condition in stage.conditions:
                path = paths.get(condition.name.text)
                if path:
                    yield _of(condition.name, path, "filtered", condition.op, condition.value)
        case ast.Unwrap():
            path = paths.get(stage.label.text)
            if path:
                yield _of(stage.label, path, "unwrapped")
        case ast.LabelFormat():
            for _label, source, _template in stage.assignments:
                if source is not None and (path := paths.get(source.text)):
                    yield _of(source, path, "extracted")
        case _:
            pass


def _after(stage: ast.Stage, paths: _Paths, events: Sequence[str], registry: Registry) -> None:
    """Bring the paths to what they are behind a stage."""
    match stage:
        case ast.ParserStage(kind="json", extractions=()):
            own = {name for event in events for name in registry.events[event].properties}
            for name in (*registry.envelope["properties"], *own):
                paths.setdefault(name, name)
        case ast.ParserStage(kind="json"):
            paths.update({extraction.label.text: _path(extraction.path.text) for extraction in stage.extractions})
        case ast.ParserStage():
            paths.update(dict.fromkeys(stage.labels))
        case ast.LabelFormat():
            for label, source, _template in stage.assignments:
                paths[label.text] = paths.pop(source.text, None) if source else None
        case _:
            pass


def _path(text: str) -> str:
    """A JSON path of LogQL as the path of a declaration: `queries[0].alias` -> `queries[].alias`."""
    return _INDEX.sub("[]", _KEY.sub(r".\1", text)).removeprefix(".")
