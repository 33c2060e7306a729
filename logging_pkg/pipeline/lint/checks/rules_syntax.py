"""rules/syntax: Loki can load every rule file.

In: rule files. Out: a problem for whatever makes the ruler refuse the file. Never: parses LogQL.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Mapping, Project, YamlFile
from logging_pkg.pipeline.logql import LogQLError
from logging_pkg.pipeline.logql.tokens import tokenize

ID = "rules/syntax"

_GROUP_KEYS = ("name", "interval", "limit", "rules", "query_offset", "labels")
_RECORDING_KEYS = ("record", "expr", "labels", "query_offset", "keep_firing_for")
_ALERT_KEYS = ("alert", "expr", "for", "labels", "annotations", "query_offset", "keep_firing_for")


def check(project: Project) -> Iterator[Problem]:
    """Not YAML, an unknown key, a rule without name or expression, no duration: Loki then loads no rule at all."""
    for file in project.rule_files:
        if file.root is None:
            here = file.source.snippet(file.error_offset, file.error_offset + 1)
            yield Problem.at(here, ID, f"not a rule file: {file.error}")
            continue
        yield from _file(file, file.root)


def _file(file: YamlFile, root: Mapping) -> Iterator[Problem]:
    yield from _keys(root, ("groups",))
    yield from _list(root, "groups")
    if not root.mappings("groups"):
        yield Problem.about(file.source, ID, "has no groups", "a rule file is groups: [{name: …, rules: […]}]")
    names: set[str] = set()
    for group in root.mappings("groups"):
        yield from _keys(group, _GROUP_KEYS)
        name = group.text("name")
        if name is None or not name.text:
            yield Problem.at(group.head, ID, "this group has no name")
        elif name.text in names:
            yield Problem.at(name, ID, "a second group of this name in one file")
        names.add(name.text if name else "")
        yield from _duration(group, "interval")
        yield from _list(group, "rules")
        for rule in group.mappings("rules"):
            yield from _rule(rule)


def _rule(rule: Mapping) -> Iterator[Problem]:
    alert, record = rule.text("alert"), rule.text("record")
    if (alert is None) == (record is None):
        yield Problem.at(rule.head, ID, 'a rule has either "alert" or "record"')
        return
    yield from _keys(rule, _ALERT_KEYS if alert else _RECORDING_KEYS)
    if rule.text("expr") is None:
        yield Problem.at(alert or record or rule.head, ID, "this rule has no expr")
    yield from _duration(rule, "for")
    for key in ("labels", "annotations"):
        for name, value in rule.mapping(key).pairs:
            if not isinstance(value, yaml.ScalarNode):
                yield Problem.at(name, ID, "has to be a text")


def _keys(mapping: Mapping, known: tuple[str, ...]) -> Iterator[Problem]:
    seen: set[str] = set()
    for key, _value in mapping.pairs:
        if key.text in seen:
            yield Problem.at(key, ID, "a second key of this name; Loki refuses the file")
        seen.add(key.text)
        if key.text not in known:
            near = nearest(key.text, known)
            hint = f"did you mean {near}?" if near else f"known here: {', '.join(known)}"
            yield Problem.at(key, ID, "Loki refuses a file with this key", hint)


def _list(mapping: Mapping, key: str) -> Iterator[Problem]:
    value = mapping.get(key)
    if value is not None and not isinstance(value, yaml.SequenceNode):
        yield Problem.at(mapping.head, ID, f"{key} has to be a list")
    for entry in value.value if isinstance(value, yaml.SequenceNode) else []:
        if not isinstance(entry, yaml.MappingNode):
            start = entry.start_mark.index
            here = mapping.source.snippet(start, max(entry.end_mark.index, start + 1))
            yield Problem.at(here, ID, f"each of the {key} has to be a mapping")


def _duration(mapping: Mapping, key: str) -> Iterator[Problem]:
    value = mapping.text(key)
    if value is not None:
        try:
            tokenize(f"[{value.text}]")
        except LogQLError as error:
            yield Problem.at(value, ID, error.reason)
