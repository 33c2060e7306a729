"""logql/unknown-field: every key a `json` stage reads is a field of the selected events.

In: json stages. Out: a problem for a key that no selected event has. Never: judges labels.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.describe import did_you_mean, named
from logging_pkg.pipeline.lint.labels import events_of, schemas_at
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast

ID = "logql/unknown-field"
NEEDS = (Need.SCHEMAS,)


def check(project: Project) -> Iterator[Problem]:
    """`| json label="key"` with a key that none of the selected events declares."""
    for query, part in log_queries(project, ID):
        events = events_of(part.selector, project.registry)
        for stage in part.stages:
            if not events or not isinstance(stage, ast.ParserStage) or stage.kind != "json":
                continue
            for extraction in stage.extractions:
                path = extraction.path
                if not schemas_at(path.text, events, project.registry):
                    hint = did_you_mean(path.text, events, project.registry)
                    yield at(query, path, ID, f"not a field of {named(events)}", hint)
