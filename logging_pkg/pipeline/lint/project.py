"""Read what there is to check: rules, dashboards, documents, vector.toml.

In: a project's directory, or files given; a schema registry; maybe a Loki. Out: a Project of rules and queries with
their places. Never: judges them; what cannot be read is kept for the check it belongs to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import yaml

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.lint.given import Given
from logging_pkg.pipeline.lint.kubernetes import rule_files_in
from logging_pkg.pipeline.lint.query import Query, fenced, in_template, targets
from logging_pkg.pipeline.lint.source import Snippet, SourceFile, scalar
from logging_pkg.pipeline.lint.yaml_file import Mapping, YamlFile
from logging_pkg.schemas import Registry

RULES_DIRECTORY = "loki/rules"
TESTS_DIRECTORY = "loki/tests"
PROMETHEUS_RULES_DIRECTORY = "loki/prometheus_rules"
PROMETHEUS_TESTS_DIRECTORY = "loki/prometheus_tests"
DASHBOARDS_DIRECTORY = "grafana/dashboards"
VECTOR_CONFIG = "vector.toml"


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
        nodes = [node for _key, node in self.fields.mapping("annotations").pairs if isinstance(node, yaml.ScalarNode)]
        texts = [scalar(self.fields.source, node) for node in nodes]
        return [Query.of(part, "annotation") for text in texts for part in in_template(text)]


@dataclass(frozen=True)
class Project:
    """Everything to check, read once.

    Attributes:
        root: the project's directory.
        registry: what its queries are understood with.
        given: files to check in place of the project's; they may be anybody's, and nothing is known of their events
            where `has_schemas` is False.
        loki: asked by the checks that need one.
    """

    root: Path
    registry: Registry = field(repr=False)
    given: Given | None = None
    has_schemas: bool = True
    loki: LokiClient | None = field(default=None, repr=False)

    @cached_property
    def rule_files(self) -> list[YamlFile]:
        """The files Loki's ruler reads as rules."""
        return _given_rules(self.given.rules) if self.given else self._read_rules(RULES_DIRECTORY)

    @cached_property
    def prometheus_rule_files(self) -> list[YamlFile]:
        """The files Prometheus reads as rules."""
        return _given_rules(self.given.prometheus_rules) if self.given else self._read_rules(PROMETHEUS_RULES_DIRECTORY)

    @cached_property
    def test_files(self) -> list[YamlFile]:
        """The files `logpipe rules test` reads."""
        if self.given:
            return []
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
        paths = self.given.dashboards if self.given else (self.root / DASHBOARDS_DIRECTORY).rglob("*.json")
        return self._read(paths)

    @cached_property
    def documents(self) -> list[SourceFile]:
        """README.md and everything below docs/."""
        if self.given:
            return [SourceFile.read(path, None) for path in self.given.documents]
        paths = [self.root / "README.md", *sorted((self.root / "docs").rglob("*.md"))]
        return [SourceFile.read(path, self.root) for path in paths if path.is_file()]

    @cached_property
    def vector_config(self) -> SourceFile | None:
        """vector.toml."""
        path = self.root / VECTOR_CONFIG
        return SourceFile.read(path, self.root) if not self.given and path.is_file() else None

    @cached_property
    def queries(self) -> list[Query]:
        """Every LogQL query of rules, their links, documents and dashboards."""
        found = [rule.query for rule in self.rules if rule.query]
        found += [link for rule in self.all_rules for link in rule.links]
        for document in self.documents:
            found += [Query.of(snippet, "document") for snippet in fenced(document)]
        for dashboard in self.dashboards:
            if dashboard.root:
                found += [Query.of(snippet, "dashboard") for snippet in targets(dashboard.root)]
        return found

    def _read_rules(self, directory: str) -> list[YamlFile]:
        return self._read(path for path in (self.root / directory).glob("*") if path.suffix in (".yaml", ".yml"))

    def _read(self, paths: Iterable[Path]) -> list[YamlFile]:
        return [YamlFile.of(SourceFile.read(path, None if self.given else self.root)) for path in sorted(paths)]


def _given_rules(paths: Iterable[Path]) -> list[YamlFile]:
    """Anybody's rules may also be in Kubernetes resources; in a project, programs read the files themselves."""
    return [file for path in sorted(paths) for file in rule_files_in(SourceFile.read(path, None))]


def _rules_in(files: Iterable[YamlFile]) -> Iterator[tuple[Mapping, Mapping]]:
    """Each rule with its group before it."""
    for file in files:
        for group in file.root.mappings("groups") if file.root else []:
            for fields in group.mappings("rules"):
                yield group, fields
