"""rules/name-shape: names of rules follow one grammar.

In: names of rules. Out: a problem for another shape. Never: judges whether a name fits its expression.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "rules/name-shape"
NEEDS = (Need.PROJECT,)

_RECORD = re.compile(r"[a-z][a-z0-9_]*:[a-z][a-z0-9_]*:[a-z][a-z0-9_]*")
_ALERT = re.compile(r"[A-Z][A-Za-z0-9]*")


def check(project: Project) -> Iterator[Problem]:
    """Recorded series are level:metric:operation, alerts are CamelCase (their runbook is a file of that name)."""
    for rule in project.all_rules:
        if rule.record and _RECORD.fullmatch(rule.record.text) is None:
            hint = "such as route:http_response_time_ms:p95_5m"
            yield Problem.at(rule.record, ID, "not shaped level:metric:operation", hint)
        if rule.alert and _ALERT.fullmatch(rule.alert.text) is None:
            yield Problem.at(rule.alert, ID, "not shaped like an alert's name", "such as SlowRoute")
