"""rules/syntax: Loki and Prometheus can load every rule file.

In: rule files. Out: a problem for whatever makes them refuse the file. Never: parses LogQL or PromQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import yaml

from logging_pkg.pipeline.lint.problem import Problem, nearest
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.yaml_file import Mapping, YamlFile
from logging_pkg.pipeline.logql import LogQLError
from logging_pkg.pipeline.logql.tokens import tokenize

ID = "rules/syntax"


@dataclass(frozen=True)
class _Reader:
    """Who reads a rule file, and which keys it takes."""

    name: str
    group_keys: tuple[str, ...]
    recording_keys: tuple[str, ...]
    alert_keys: tuple[str, ...]
    file_keys: tuple[str, ...] = ("groups",)


_GROUP_KEYS = ("name", "interval", "limit", "rules", "query_offset", "labels")
_ALERT_KEYS = ("alert", "expr", "for", "labels", "annotations")
_LOKI = _Reader(
    "Loki",
    _GROUP_KEYS,
    ("record", "expr", "labels", "query_offset", "keep_firing_for"),
    (*_ALERT_KEYS, "query_offset", "keep_firing_for"),
)
_PROMETHEUS = _Reader("Prometheus", _GROUP_KEYS, ("record", "expr", "labels"), (*_ALERT_KEYS, "keep_firing_for"))


def check(project: Project) -> Iterator[Problem]:
    """Not YAML, an unknown key, a rule without name or expression, no duration: no rule at all is loaded then."""
    loki, prometheus = (_anybodys(reader) if project.given else reader for reader in (_LOKI, _PROMETHEUS))
    for reader, files in ((loki, project.rule_files), (prometheus, project.prometheus_rule_files)):
        for file in files:
            if file.root is None:
                here = file.source.snippet(file.error_offset, file.error_offset + 1)
                yield Problem.at(here, ID, f"not a rule file: {file.error}")
                continue
            yield from _file(file, file.root, reader)


def _anybodys(reader: _Reader) -> _Reader:
    """With the keys of others: lokitool and mimirtool take a namespace, Thanos a strategy."""
    return replace(
        reader,
        file_keys=(*reader.file_keys, "namespace"),
        group_keys=(*reader.group_keys, "partial_response_strategy"),
    )


def _file(file: YamlFile, root: Mapping, reader: _Reader) -> Iterator[Problem]:
    yield from _keys(root, reader.file_keys, reader)
    yield from _list(root, "groups")
    if not root.mappings("groups"):
        yield Problem.about(file.source, ID, "has no groups", "a rule file is groups: [{name: …, rules: […]}]")
    names: set[str] = set()
    for group in root.mappings("groups"):
        yield from _keys(group, reader.group_keys, reader)
        name = group.text("name")
        if name is None or not name.text:
            yield Problem.at(group.head, ID, "this group has no name")
        elif name.text in names:
            yield Problem.at(name, ID, "a second group of this name in one file")
        names.add(name.text if name else "")
        yield from _duration(group, "interval")
        yield from _list(group, "rules")
        for rule in group.mappings("rules"):
            yield from _rule(rule, reader)


def _rule(rule: Mapping, reader: _Reader) -> Iterator[Problem]:
    alert, record = rule.text("alert"), rule.text("record")
    if (alert is None) == (record is None):
        yield Problem.at(rule.head, ID, 'a rule has either "alert" or "record"')
        return
    yield from _keys(rule, reader.alert_keys if alert else reader.recording_keys, reader)
    if rule.text("expr") is None:
        yield Problem.at(alert or record or rule.head, ID, "this rule has no expr")
    yield from _duration(rule, "for")
    yield from _duration(rule, "keep_firing_for")
    for key in ("labels", "annotations"):
        for name, value in rule.mapping(key).pairs:
            if not isinstance(value, yaml.ScalarNode):
                yield Problem.at(name, ID, "has to be a text")


def _keys(mapping: Mapping, known: tuple[str, ...], reader: _Reader) -> Iterator[Problem]:
    seen: set[str] = set()
    for key, _value in mapping.pairs:
        if key.text in seen:
            yield Problem.at(key, ID, f"a second key of this name; {reader.name} refuses the file")
        seen.add(key.text)
        if key.text not in known:
            near = nearest(key.text, known)
            hint = f"did you mean {near}?" if near else f"known here: {', '.join(known)}"
            yield Problem.at(key, ID, f"{reader.name} refuses a file with this key", hint)


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
