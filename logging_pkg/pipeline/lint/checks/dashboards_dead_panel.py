"""dashboards/dead-panel: every panel reads events and fields that are declared, by whatever way.

In: panels of dashboards, rules, the registry. Out: a problem for each panel that stays empty, by its title.
Never: judges the same query elsewhere; asks a server.

`logql/unknown-field` and `rules/unknown-series` point at the place in a query. This tells which panels go dark when a
field is taken away: also those that read a recorded series, whose rule reads the field.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._panels import panels_in
from logging_pkg.pipeline.lint.labels import events_of, schemas_at
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import LogQLError, ast, parse

ID = "dashboards/dead-panel"
NEEDS = (Need.PROJECT, Need.SCHEMAS)

_EVENT_NAMES = re.compile(r"[\w.]+(\|[\w.]+)*")
_SERIES = re.compile(r"(?<![\w:/])[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*(?![\w:])")
_HINT = "change the panel with the field, or keep the field"


def check(project: Project) -> Iterator[Problem]:
    """A panel with a query that reads what nobody emits or records."""
    series = _Series(project)
    for dashboard in project.dashboards:
        for panel in panels_in(dashboard.root) if dashboard.root else ():
            title = panel.text("title")
            exprs = [expr.text for target in panel.mappings("targets") if (expr := target.text("expr"))]
            reason = next((reason for expr in exprs if (reason := series.missing_in(expr))), "")
            if title is not None and reason:
                yield Problem.at(title, ID, f"this panel has no data: {reason}", _HINT)


class _Series:
    """What queries read by way of recorded series; each series is looked at once.

    Args:
        project: whose rules record them.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._exprs: dict[str, list[str]] = defaultdict(list)
        self._reasons: dict[str, str] = {}
        for rule in project.all_rules:
            if rule.record and rule.expr:
                self._exprs[rule.record.text].append(rule.expr.text)

    def missing_in(self, expr: str) -> str:
        """Why a query, LogQL or PromQL, has no answer; empty when it may have one."""
        try:
            expression = parse(expr)
        except LogQLError:
            names = dict.fromkeys(_SERIES.findall(expr))
            return next((reason for name in names if (reason := self._missing_of(name))), "")
        return next(_undeclared(expression, self._project), "")

    def _missing_of(self, name: str) -> str:
        if name not in self._exprs:
            return f"no rule records {name}"
        if name not in self._reasons:
            self._reasons[name] = ""  # a series may read itself
            reason = next((reason for expr in self._exprs[name] if (reason := self.missing_in(expr))), "")
            self._reasons[name] = reason and f"{name} is computed from what is not there: {reason}"
        return self._reasons[name]


def _undeclared(expression: ast.Expression, project: Project) -> Iterator[str]:
    for part in ast.walk(expression):
        if not isinstance(part, ast.LogQuery):
            continue
        events = list(events_of(part.selector, project.registry))
        if not events:
            chosen = [matcher.value.text for matcher in part.selector.matchers if matcher.name.text == "event"]
            yield f"no declared event is {' and '.join(chosen)}"
            continue
        unwrapped = {stage.label.text for stage in part.stages if isinstance(stage, ast.Unwrap)}
        for stage in part.stages:
            for extraction in stage.extractions if isinstance(stage, ast.ParserStage) and stage.kind == "json" else ():
                # A number is computed of each event that is named; anything else, one of them has.
                is_of_each = extraction.label.text in unwrapped and _names_events(part.selector)
                for group in [[event] for event in events] if is_of_each else [events]:
                    if not schemas_at(extraction.path.text, group, project.registry):
                        yield f"{extraction.path.text} is no field of {', '.join(group[:3])}"


def _names_events(selector: ast.Selector) -> bool:
    """Whether it takes events by their names, such as `event=~"a.done|b.done"`, and not whatever comes."""
    texts = [matcher.value.text for matcher in selector.matchers if matcher.name.text == "event"]
    return any(_EVENT_NAMES.fullmatch(text) for text in texts)
