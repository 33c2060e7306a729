"""logql/unwrap-errors: what cannot be unwrapped is filtered out.

In: `unwrap` stages. Out: a problem for one without an error filter behind it. Never: judges types.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import at, log_queries
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql import ast

ID = "logql/unwrap-errors"


def check(project: Project) -> Iterator[Problem]:
    """One line with a text in place of the number fails the whole query unless `__error__=""` follows."""
    for query, part in log_queries(project, ID):
        for index, stage in enumerate(part.stages):
            if isinstance(stage, ast.Unwrap) and not any(_filters_errors(later) for later in part.stages[index + 1 :]):
                yield at(query, stage, ID, "one line with a text there fails the query", 'add | __error__="" behind it')


def _filters_errors(stage: ast.Stage) -> bool:
    return isinstance(stage, ast.LabelFilter) and any(
        condition.name.text == "__error__" and condition.op == "=" and condition.value == ""
        for condition in stage.conditions
    )
