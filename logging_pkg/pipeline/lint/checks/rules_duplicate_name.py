"""rules/duplicate-name: no two alerts share a name, and no two recorded series name and labels.

In: names of rules, all files of Loki and Prometheus together. Out: a problem for every later one. Never: compares
expressions.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project

ID = "rules/duplicate-name"


def check(project: Project) -> Iterator[Problem]:
    """Loki restores the state of `for` by the alert's name alone; equal series overwrite each other."""
    first: dict[tuple[str, ...], str] = {}
    for rule in project.all_rules:
        name = rule.alert or rule.record
        if name is None:
            continue
        line, _column, _length = name.place()
        place = f"{name.source.name}:{line}"
        labels = rule.fields.mapping("labels")
        # Series of one name may come from several rules, as long as the rules' own labels keep them apart.
        own = [f"{label.text}={value.value}" for label, value in labels.pairs] if rule.record else []
        key = (name.text, *sorted(own))
        if key in first:
            yield Problem.at(name, ID, f"{first[key]} has a rule of this name", "rename one of them")
        first.setdefault(key, place)
