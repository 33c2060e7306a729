"""Read what a project has to check: rules, dashboards, documents, vector.toml.

In: the project's directory and a schema registry. Out: a Project of rules and queries with their places.
Never: judges them; what cannot be read is kept as a Problem for the check it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import yaml

from logging_pkg.pipeline.lint.source import Snippet, SourceFile, scalar
from logging_pkg.pipeline.lint.yaml_file import Mapping, YamlFile
from logging_pkg.pipeline.logql import LogQLError, parse
from logging_pkg.pipeline.logql.ast import Expression
from logging_pkg.schemas import Registry

RULES_DIRECTORY = "loki/rules"
TESTS_DIRECTORY = "loki/tests"
PROMETHEUS_RULES_DIRECTORY = "loki/prometheus_rules"
PROMETHEUS_TESTS_DIRECTORY = "loki/prometheus_tests"
DASHBOARDS_DIRECTORY = "grafana/dashboards"
VECTOR_CONFIG = "vector.toml"

_FENCE = re.compile(r"^(?P<indent> *)```logql[^\n]*\n(?P<body>.*?)^ *```", re.MULTILINE | re.DOTALL)
_ALLOW = re.compile(r"#\s*allow\s+([a-z]+/[a-z-]+):\s*\S")
#: A LogQL query as a format string inside an alert's template: printf `{event="…", env=%q} | …` $labels.env
_TEMPLATE_QUERY = re.compile(r"`(\{(?!\")[^`]*)`")


@dataclass(frozen=True)
class Query:
    """One LogQL query.

    Attributes:
        snippet: its text, in place.
        where: `rule`, `annotation`, `document` or `dashboard`.
        expression: what it says; None when it is no LogQL, and then `error` tells why.
    """

    snippet: Snippet
    where: str
    expression: Expression | None
    error: LogQLError | None = None

    @classmethod
    def of(cls, snippet: Snippet, where: str) -> Query:
        """Parse a snippet."""
        try:
            return cls(snippet, where, parse(snippet.text))
        except LogQLError as error:
            return cls(snippet, where, None, error)

    @cached_property
    def allowed(self) -> frozenset[str]:
        """Checks that a comment in the query switches off: `# allow logql/unbounded-by: why`."""
        return frozenset(_ALLOW.findall(self.snippet.text))


@dataclass(frozen=True)
class Rule:
    """One recording or alert rule; `fields` is what its mapping says, in place. Prometheus's have no query."""

    fields: Mapping
    group: Mapping
    query: Query | None

    @property
    def expr(self) -> Snippet | None:
        """Its expression, LogQL or PromQL."""
        return self.fields.text("expr")

    @property
    def alert(self) -> Snippet | None:
        """The name of an alert rule."""
        return self.fields.text("alert")

    @property
    def record(self) -> Snippet | None:
        """The series of a recording rule."""
        return self.fields.text("record")

    @property
    def name(self) -> Snippet:
        """What a message about the whole rule points at."""
        return self.alert or self.record or self.fields.head

    @cached_property
    def links(self) -> list[Query]:
        """The LogQL queries in its annotations, templates filled with empty strings."""
        found = []
        for _key, node in self.fields.mapping("annotations").pairs:
            if not isinstance(node, yaml.ScalarNode):
                continue
            snippet = scalar(self.fields.source, node)
            for match in _TEMPLATE_QUERY.finditer(snippet.text):
                part = snippet.cut(*match.span(1))
                text = part.text.replace("%q", '""')
                # Series of Prometheus have names with colons; they are not LogQL.
                found.append(Query.of(Snippet(part.source, text, part.offsets), "annotation"))
        return found


@dataclass(frozen=True)
class Project:
    """Everything to check, read once."""

    root: Path
    registry: Registry = field(repr=False)

    @cached_property
    def rule_files(self) -> list[YamlFile]:
        """The files Loki's ruler reads as rules."""
        return self._read_rules(RULES_DIRECTORY)

    @cached_property
    def prometheus_rule_files(self) -> list[YamlFile]:
        """The files Prometheus reads as rules."""
        return self._read_rules(PROMETHEUS_RULES_DIRECTORY)

    @cached_property
    def test_files(self) -> list[YamlFile]:
        """The files `logpipe rules test` reads."""
        directories = (self.root / name for name in (TESTS_DIRECTORY, PROMETHEUS_TESTS_DIRECTORY))
        return self._read(path for directory in directories for path in directory.rglob("*_test.y*ml"))

    @cached_property
    def rules(self) -> list[Rule]:
        """Loki's rules of all groups."""
        found = [Rule(fields, group, None) for group, fields in _rules_in(self.rule_files)]
        return [replace(rule, query=Query.of(rule.expr, "rule") if rule.expr else None) for rule in found]

    @cached_property
    def prometheus_rules(self) -> list[Rule]:
        """Prometheus's rules of all groups."""
        return [Rule(fields, group, None) for group, fields in _rules_in(self.prometheus_rule_files)]

    @property
    def all_rules(self) -> list[Rule]:
        """Loki's rules, then Prometheus's."""
        return [*self.rules, *self.prometheus_rules]

    @cached_property
    def alerts(self) -> list[Rule]:
        """The alert rules of both."""
        return [rule for rule in self.all_rules if rule.alert]

    @cached_property
    def dashboards(self) -> list[YamlFile]:
        """Grafana's dashboards; JSON is read as YAML, which it is, for the sake of places."""
        return self._read((self.root / DASHBOARDS_DIRECTORY).rglob("*.json"))

    @cached_property
    def documents(self) -> list[SourceFile]:
        """README.md and everything below docs/."""
        paths = [self.root / "README.md", *sorted((self.root / "docs").rglob("*.md"))]
        return [SourceFile.read(path, self.root) for path in paths if path.is_file()]

    @cached_property
    def vector_config(self) -> SourceFile | None:
        """vector.toml."""
        path = self.root / VECTOR_CONFIG
        return SourceFile.read(path, self.root) if path.is_file() else None

    @cached_property
    def queries(self) -> list[Query]:
        """Every LogQL query of rules, their links, documents and dashboards."""
        found = [rule.query for rule in self.rules if rule.query]
        found += [link for rule in self.all_rules for link in rule.links]
        for document in self.documents:
            found += [Query.of(snippet, "document") for snippet in _fenced(document)]
        for dashboard in self.dashboards:
            if dashboard.root:
                found += [Query.of(snippet, "dashboard") for snippet in _targets(dashboard.root, is_loki=False)]
        return found

    def _read_rules(self, directory: str) -> list[YamlFile]:
        return self._read(path for path in (self.root / directory).glob("*") if path.suffix in (".yaml", ".yml"))

    def _read(self, paths: Iterable[Path]) -> list[YamlFile]:
        return [YamlFile.of(SourceFile.read(path, self.root)) for path in sorted(paths)]


def _rules_in(files: Iterable[YamlFile]) -> Iterator[tuple[Mapping, Mapping]]:
    """Each rule with its group before it."""
    for file in files:
        for group in file.root.mappings("groups") if file.root else []:
            for fields in group.mappings("rules"):
                yield group, fields


def _fenced(document: SourceFile) -> Iterator[Snippet]:
    """The queries of ```logql blocks; an empty line separates two."""
    for match in _FENCE.finditer(document.text):
        start = match.start("body")
        for part in re.finditer(r"(?:[^\n]*\S[^\n]*\n)+", match.group("body")):
            yield document.snippet(start + part.start(), start + part.end() - 1)


def _targets(mapping: Mapping, *, is_loki: bool) -> Iterator[Snippet]:
    """The `expr` of everything whose own or nearest outer data source is Loki."""
    source = mapping.mapping("datasource")
    if source.pairs:
        is_loki = any(text is not None and text.text == "loki" for text in (source.text("type"), source.text("uid")))
    expr = mapping.text("expr")
    if expr is not None and is_loki:
        yield expr
    for _key, node in mapping.pairs:
        for child in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(child, yaml.MappingNode):
                yield from _targets(Mapping(mapping.source, child), is_loki=is_loki)
