"""Follow labels through a query: which exist at each stage, and which field of which event each came from.

In: a parsed query and the registry. Out: selected events, labels with their origin. Never: problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from logging_pkg.pipeline.logql import ast
from logging_pkg.pipeline.logql.pipeline import matches
from logging_pkg.schemas import Registry
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA
from logging_pkg.schemas.registry import is_numeric

#: Labels Loki itself sets when a stage fails.
ERROR_LABELS = ("__error__", "__error_details__")

_PATH_PART = re.compile(r"\.?([A-Za-z_]\w*)|\[(\d+)\]|\[\"([^\"]+)\"\]")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a label's values come from: the schemas of its field, one per selected event; none if undeclared."""

    schemas: tuple[Mapping[str, Any], ...]
    is_stream_label: bool = False

    @property
    def bounded(self) -> bool:
        """Whether a result may be grouped by it: a stream label, dimension, enum, or a text the query makes."""
        return self.is_stream_label or all("x-dimension" in schema or "enum" in schema for schema in self.schemas)

    @property
    def numeric(self) -> bool:
        """Whether `unwrap` can read it; a text the query itself makes passes for a number."""
        return not self.is_stream_label and all(is_numeric(schema) for schema in self.schemas)


Labels = dict[str, Origin]


def events_of(selector: ast.Selector, registry: Registry) -> list[str]:
    """The declared events a selector admits; all of them when it does not mention `event`."""
    matchers = [matcher for matcher in selector.matchers if matcher.name.text == "event"]
    return [event for event in registry.events if all(matches(matcher, event) for matcher in matchers)]


def fields_of(events: list[str], registry: Registry) -> list[str]:
    """Every field these events have, envelope included."""
    own = {name for event in events for name in registry.events[event].properties}
    return sorted(own | set(registry.envelope["properties"]))


def schemas_at(path: str, events: list[str], registry: Registry) -> tuple[Mapping[str, Any], ...]:
    """The schemas a JSON path such as `queries[0].alias` leads to, one per selected event that has it."""
    found = []
    for event in events:
        parts = [match.group(1) or match.group(2) or match.group(3) for match in _PATH_PART.finditer(path)]
        schema = registry.field(event, parts[0]) if parts else None
        for part in parts[1:]:
            schema = _below(schema, part)
        if schema is not None:
            found.append(schema)
    return tuple(found)


def _below(schema: Mapping[str, Any] | None, part: str) -> Mapping[str, Any] | None:
    if schema is None:
        return None
    found: Mapping[str, Any] | None = schema.get("items") if part.isdigit() else schema.get("properties", {}).get(part)
    return found


def stored_labels(events: list[str], registry: Registry) -> Labels:
    """What a line has before any stage: stream labels and structured metadata."""
    labels = {name: Origin((), is_stream_label=True) for name in STREAM_LABELS}
    labels |= {name: Origin(schemas_at(name, events, registry)) for name in STRUCTURED_METADATA}
    return labels


def steps(query: ast.LogQuery, registry: Registry) -> Iterator[tuple[ast.Stage | None, Labels]]:
    """Yield each stage with the labels it finds, and at the end None with those the query leaves."""
    events = events_of(query.selector, registry)
    labels = stored_labels(events, registry)
    for stage in query.stages:
        yield stage, labels
        labels = _after(stage, labels, events, registry)
    yield None, labels


def _after(stage: ast.Stage, labels: Labels, events: list[str], registry: Registry) -> Labels:
    match stage:
        case ast.ParserStage(kind="json", extractions=()):
            everything = {name: Origin(schemas_at(name, events, registry)) for name in fields_of(events, registry)}
            return {**everything, **labels}
        case ast.ParserStage():
            paths = {extraction.label.text: extraction.path.text for extraction in stage.extractions}
            if stage.kind == "json":
                return {**labels, **{name: Origin(schemas_at(path, events, registry)) for name, path in paths.items()}}
            return {**labels, **dict.fromkeys((*stage.labels, *paths), Origin(()))}
        case ast.LabelFormat():
            made = dict(labels)
            for label, source, _template in stage.assignments:
                made[label.text] = made.pop(source.text, Origin(())) if source else Origin(())
            return made
        case ast.LabelChoice():
            named = {name.text for name in stage.names}
            return {name: origin for name, origin in labels.items() if (name in named) == (stage.kind == "keep")}
        case _:
            return labels


def labels_left(query: ast.LogQuery, registry: Registry) -> Labels:
    """The labels a log query's lines have after its last stage."""
    *_, (_stage, labels) = steps(query, registry)
    return labels


def result_labels(expression: ast.Expression, registry: Registry) -> Labels:
    """The labels of the series (or lines) an expression results in."""
    match expression:
        case ast.LogQuery():
            return labels_left(expression, registry)
        case ast.RangeAggregation():
            labels = labels_left(expression.query, registry)
            if expression.unwrap:
                labels.pop(expression.unwrap.label.text, None)
            return _grouped(labels, expression.grouping)
        case ast.VectorAggregation():
            labels = result_labels(expression.operand, registry)
            if expression.grouping is None and expression.op.text.lower() not in (
                "topk",
                "bottomk",
                "sort",
                "sort_desc",
            ):
                return {}
            if expression.op.text.lower() in ("topk", "bottomk", "sort", "sort_desc", "approx_topk"):
                return labels
            return _grouped(labels, expression.grouping)
        case ast.BinaryOperation():
            left, right = result_labels(expression.left, registry), result_labels(expression.right, registry)
            if isinstance(expression.left, ast.Number):
                return right
            return {**right, **left} if expression.op == "or" else left
        case ast.LabelReplace():
            return {**result_labels(expression.operand, registry), expression.destination.text: Origin(())}
        case _:
            return {}


def _grouped(labels: Labels, grouping: ast.Grouping | None) -> Labels:
    if grouping is None:
        return dict(labels)
    named = {name.text for name in grouping.labels}
    return {name: origin for name, origin in labels.items() if (name in named) != grouping.without}
