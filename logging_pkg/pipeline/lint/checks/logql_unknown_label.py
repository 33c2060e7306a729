"""logql/unknown-label: every label a query uses exists where it is used.

In: selectors, filters, groupings, `unwrap`, `keep`, `drop`, `on`. Out: a problem for a label nothing sets.
Never: judges which fields a json stage reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries, parsed
from logging_pkg.pipeline.lint.labels import ERROR_LABELS, events_of, fields_of, labels_left, result_labels, steps
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.query import Query
from logging_pkg.pipeline.logql import ast
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA

ID = "logql/unknown-label"
NEEDS = (Need.SCHEMAS,)


def check(project: Project) -> Iterator[Problem]:
    """A label that is neither stored with the line nor set by an earlier stage, or that a grouping has dropped."""
    for query, log_query in log_queries(project, ID):
        yield from _in_selector(query, log_query)
        yield from _in_stages(project, query, log_query)
    for query, expression in parsed(project, ID):
        for part in ast.walk(expression):
            yield from _in_groupings(project, query, part)


def _in_selector(query: Query, part: ast.LogQuery) -> Iterator[Problem]:
    for matcher in part.selector.matchers:
        name = matcher.name.text
        if name not in STREAM_LABELS:
            if name in STRUCTURED_METADATA:
                hint = f"filter after the selector: | {name}{matcher.op}…"
            else:
                hint = f"stream labels are {', '.join(STREAM_LABELS)}; filter fields after | json {name}=…"
            yield at(query, matcher.name, ID, "not a stream label", hint)


def _in_stages(project: Project, query: Query, part: ast.LogQuery) -> Iterator[Problem]:
    fields = fields_of(events_of(part.selector, project.registry), project.registry)
    for stage, labels in steps(part, project.registry):
        for name in _used_by(stage):
            if name.text not in labels and name.text not in ERROR_LABELS:
                yield at(query, name, ID, "no label of this name at this place", _hint(name.text, labels, fields))


def _used_by(stage: ast.Stage | None) -> tuple[ast.Name, ...]:
    match stage:
        case ast.LabelFilter():
            return tuple(condition.name for condition in stage.conditions)
        case ast.LabelChoice():
            return stage.names
        case ast.LabelFormat():
            return tuple(source for _label, source, _template in stage.assignments if source)
        case ast.Unwrap():
            return (stage.label,)
        case _:
            return ()


def _in_groupings(project: Project, query: Query, part: ast.Expression) -> Iterator[Problem]:
    registry = project.registry
    match part:
        case ast.RangeAggregation(grouping=ast.Grouping() as grouping):
            events = events_of(part.query.selector, registry)
            yield from _missing(query, grouping.labels, labels_left(part.query, registry), fields_of(events, registry))
        case ast.VectorAggregation(grouping=ast.Grouping() as grouping):
            yield from _missing(query, grouping.labels, result_labels(part.operand, registry), ())
        case ast.BinaryOperation(matching=ast.Matching() as matching):
            for side in (part.left, part.right):
                yield from _missing(query, matching.labels, result_labels(side, registry), ())
        case _:
            pass


def _missing(
    query: Query, names: Iterable[ast.Name], labels: Iterable[str], fields: Iterable[str]
) -> Iterator[Problem]:
    for name in names:
        if name.text not in labels:
            yield at(query, name, ID, "no label of this name is left here", _hint(name.text, labels, fields))


def _hint(name: str, labels: Iterable[str], fields: Iterable[str]) -> str:
    if name in fields:
        return f'read it first: | json {name}="{name}"'
    near = nearest(name, labels)
    return f"did you mean {near}?" if near else f"labels here: {', '.join(sorted(labels)) or 'none'}"
