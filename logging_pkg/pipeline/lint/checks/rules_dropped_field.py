"""rules/dropped-field: no rule of Loki's relies on a key that Loki drops without a word.

In: groups and rules. Out: a problem for each such key. Never: judges other keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from logging_pkg.pipeline.lint.problem import Problem
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.yaml_file import Mapping

ID = "rules/dropped-field"

_HINTS = {
    "keep_firing_for": "lengthen the window or `for` instead",
    "query_offset": "write offset behind each range instead",
    "labels": "put labels on each rule instead",
}


def check(project: Project) -> Iterator[Problem]:
    """keep_firing_for, query_offset, and labels of a group."""
    for file in project.rule_files:
        for group in file.root.mappings("groups") if file.root else []:
            yield from _dropped(group, ("query_offset", "labels"))
            for rule in group.mappings("rules"):
                yield from _dropped(rule, ("query_offset", "keep_firing_for"))


def _dropped(mapping: Mapping, keys: tuple[str, ...]) -> Iterator[Problem]:
    for key, _value in mapping.pairs:
        if key.text in keys:
            yield Problem.at(key, ID, "Loki drops this key without a word", _HINTS[key.text])
