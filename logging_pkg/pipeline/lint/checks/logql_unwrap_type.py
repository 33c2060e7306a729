"""logql/unwrap-type: only numbers are unwrapped.

In: `unwrap` stages. Out: a problem for a field whose schema admits anything but numbers. Never: judges unknown labels.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.describe import kind_of, see
from logging_pkg.pipeline.lint.labels import events_of, steps
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast

ID = "logql/unwrap-type"
NEEDS = (Need.SCHEMAS,)


def check(project: Project) -> Iterator[Problem]:
    """`| unwrap route`: every line would fail with a conversion error. bytes() and duration() take text."""
    for query, part in log_queries(project, ID):
        events = events_of(part.selector, project.registry)
        for stage, labels in steps(part, project.registry):
            if not isinstance(stage, ast.Unwrap) or stage.conversion or stage.label.text not in labels:
                continue
            origin = labels[stage.label.text]
            if not origin.numeric:
                schema = origin.schemas[0] if origin.schemas else {"type": "string"}
                kind = kind_of(stage.label.text, schema)
                yield at(query, stage.label, ID, f"not a number but {kind}", see(events))
