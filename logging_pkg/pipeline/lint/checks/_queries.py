"""What the checks of queries have in common: walking them, and pointing into them.

In: a Project. Out: parts of parsed queries, problems about them. Never: an opinion of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.query import Query
from logging_pkg.pipeline.logql import ast


class Spanned(Protocol):
    """Anything of a query that knows where it stands."""

    @property
    def start(self) -> int:
        """Offset of its first character."""

    @property
    def end(self) -> int:
        """Offset behind its last."""


def parsed(project: Project, check: str, *, only_rules: bool = False) -> Iterator[tuple[Query, ast.Expression]]:
    """Every query that parses and does not allow what this check forbids."""
    for query in project.queries:
        if query.expression is not None and check not in query.allowed and (query.where == "rule" or not only_rules):
            yield query, query.expression


def log_queries(project: Project, check: str) -> Iterator[tuple[Query, ast.LogQuery]]:
    """Every selector with its pipeline, those inside metrics included."""
    for query, expression in parsed(project, check):
        for part in ast.walk(expression):
            if isinstance(part, ast.LogQuery):
                yield query, part


def ranges(project: Project, check: str, *, only_rules: bool) -> Iterator[tuple[Query, ast.RangeAggregation]]:
    """Every range aggregation."""
    for query, expression in parsed(project, check, only_rules=only_rules):
        for part in ast.walk(expression):
            if isinstance(part, ast.RangeAggregation):
                yield query, part


def at(query: Query, part: Spanned, check: str, message: str, hint: str = "") -> Problem:
    """A problem about a part of a query."""
    return Problem.at(query.snippet, check, message, hint, start=part.start, end=part.end)
