"""loki/unknown-stream-label: Loki has streams with the labels that selectors name.

In: selectors, a Loki. Out: a warning for a label that no stream of the last day has. Never: asks for values.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from logging_pkg.pipeline.lint.checks._queries import log_queries
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, Severity, nearest
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.logql.pipeline import matches

ID = "loki/unknown-stream-label"
NEEDS = (Need.LOKI,)
_DAY_NS = 24 * 3600 * 10**9


def check(project: Project) -> Iterator[Problem]:
    """A matcher that an empty value fails, of a label nobody has; a Loki without any stream says nothing."""
    assert project.loki is not None
    now_ns = time.time_ns()
    known = set(project.loki.labels(now_ns - _DAY_NS, now_ns))
    for query, part in log_queries(project, ID) if known else ():
        for matcher in part.selector.matchers:
            name = matcher.name
            if name.text in known or matches(matcher, ""):
                continue
            near = nearest(name.text, known)
            hint = f"did you mean {near}?" if near else f"Loki has: {', '.join(sorted(known))}"
            message = "no stream of the last 24 h has this label"
            yield Problem.at(
                query.snippet, ID, message, hint, start=name.start, end=name.end, severity=Severity.WARNING
            )
