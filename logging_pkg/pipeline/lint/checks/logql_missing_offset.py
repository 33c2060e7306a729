"""logql/missing-offset: no rule reads seconds that are still arriving.

In: ranges of rules. Out: a problem for one without offset. Never: judges queries of people, who can ask again.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.generate import OFFSET
from logging_pkg.pipeline.lint.checks._queries import at, ranges
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "logql/missing-offset"


def check(project: Project) -> Iterator[Problem]:
    """A range in a rule that ends now, or later."""
    for query, part in ranges(project, ID, only_rules=True):
        if part.offset is None or part.offset.seconds <= 0:
            yield at(query, part.range, ID, "reads seconds that are still arriving", f"add offset {OFFSET} behind it")
