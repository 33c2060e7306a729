"""rules/duplicate-name: no two alerts, and no two recorded series, share a name.

In: names of rules, all files together. Out: a problem for every later one. Never: compares expressions.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "rules/duplicate-name"


def check(project: Project) -> Iterator[Problem]:
    """Loki restores the state of `for` by the alert's name alone; equal series overwrite each other."""
    first: dict[str, str] = {}
    for rule in project.rules:
        name = rule.alert or rule.record
        if name is None:
            continue
        line, _column, _length = name.place()
        place = f"{name.source.name}:{line}"
        if name.text in first:
            yield Problem.at(name, ID, f"{first[name.text]} has a rule of this name", "rename one of them")
        first.setdefault(name.text, place)
