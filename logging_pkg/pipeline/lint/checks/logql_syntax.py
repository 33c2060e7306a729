"""logql/syntax: every query is LogQL.

In: queries. Out: a problem where the parser stopped. Never: repairs.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "logql/syntax"


def check(project: Project) -> Iterator[Problem]:
    """A query that does not parse."""
    for query in project.queries:
        if query.error is not None:
            yield Problem.at(query.snippet, ID, query.error.reason, start=query.error.start, end=query.error.end)
