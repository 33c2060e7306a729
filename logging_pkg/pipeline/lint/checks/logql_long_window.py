"""logql/long-window: no rule reads more than an hour of lines at every evaluation.

In: ranges of rules. Out: a problem for a longer one that no metric declares. Never: judges queries of people.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.generate import window_seconds
from logging_pkg.pipeline.lint.checks._queries import at, ranges
from logging_pkg.pipeline.lint.labels import events_of
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "logql/long-window"
LONGEST_WINDOW_S = 3600.0


def check(project: Project) -> Iterator[Problem]:
    """A range over an hour; one that x-metrics of every selected event declares is a decision, not an oversight."""
    for query, part in ranges(project, ID, only_rules=True):
        seconds = part.range.seconds
        events = events_of(part.query.selector, project.registry)
        is_declared = events and all(seconds in _declared(project, event) for event in events)
        if seconds > LONGEST_WINDOW_S and not is_declared:
            hint = "record a shorter window and sum it up in Prometheus, or declare the window in x-metrics"
            yield at(query, part.range, ID, "reads more than an hour of lines at every evaluation", hint)


def _declared(project: Project, event: str) -> set[float]:
    schema = project.registry.events[event]
    return {window_seconds(schema, metric.window) for metric in schema.metrics if metric.window}
