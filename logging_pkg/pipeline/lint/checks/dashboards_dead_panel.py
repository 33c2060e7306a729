"""dashboards/dead-panel: every panel reads events and fields that are declared, by whatever way.

In: panels of dashboards, rules, the registry. Out: a problem for each panel that stays empty, by its title.
Never: judges the same query elsewhere; asks a server.

`logql/unknown-field` and `rules/unknown-series` point at the place in a query. This tells which panels go dark when a
field is taken away: also those that read a recorded series, whose rule reads the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logging_pkg.pipeline.lint.labels import events_of, schemas_at
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Mapping, Project
from logging_pkg.pipeline.logql import LogQLError, ast, parse

ID = "dashboards/dead-panel"

_SERIES = re.compile(r"(?<![\w:/])[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*(?![\w:])")
_HINT = "change the panel with the field, or keep the field"


def check(project: Project) -> Iterator[Problem]:
    """A panel with a query that reads what nobody emits or records."""
    recorded = {
        rule.record.text: expr.text for rule in project.rules if rule.record and (expr := rule.fields.text("expr"))
    }
    for dashboard in project.dashboards:
        for panel in _panels(dashboard.root) if dashboard.root else ():
            title = panel.text("title")
            if title is None:
                continue
            reasons = (
                reason
                for target in panel.mappings("targets")
                if (expr := target.text("expr")) is not None
                for reason in _reasons(expr.text, project, recorded, frozenset())
            )
            reason = next(reasons, "")
            if reason:
                yield Problem.at(title, ID, f"this panel has no data: {reason}", _HINT)


def _panels(mapping: Mapping) -> Iterator[Mapping]:
    """Panels, also those in closed rows."""
    for panel in mapping.mappings("panels"):
        yield panel
        yield from _panels(panel)


def _reasons(expr: str, project: Project, recorded: dict[str, str], seen: frozenset[str]) -> Iterator[str]:
    """Why a query, LogQL or PromQL, has no answer."""
    try:
        expression = parse(expr)
    except LogQLError:
        expression = None
    if expression is not None:
        yield from _undeclared(expression, project)
        return
    for name in dict.fromkeys(_SERIES.findall(expr)):
        if name not in recorded:
            yield f"no rule records {name}"
        elif name not in seen:
            for reason in _reasons(recorded[name], project, recorded, seen | {name}):
                yield f"{name} is computed from what is not there: {reason}"


def _undeclared(expression: ast.Expression, project: Project) -> Iterator[str]:
    for part in ast.walk(expression):
        if not isinstance(part, ast.LogQuery):
            continue
        events = list(events_of(part.selector, project.registry))
        if not events:
            chosen = [matcher.value.text for matcher in part.selector.matchers if matcher.name.text == "event"]
            yield f"no declared event is {' and '.join(chosen)}"
            continue
        for stage in part.stages:
            for extraction in stage.extractions if isinstance(stage, ast.ParserStage) and stage.kind == "json" else ():
                if not schemas_at(extraction.path.text, events, project.registry):
                    yield f"{extraction.path.text} is no field of {', '.join(events[:3])}"
