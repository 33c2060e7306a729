"""Who reads events and series in a project: rules, alerts, panels, documents and tests of rules, each with its place.

In: a project's files. Out: its queries, places of names, and whose they are. Never: generated documents.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import yaml

from logging_pkg.pipeline.events_document import EVENTS_DOCUMENT
from logging_pkg.pipeline.generate import RECORDING_RULES
from logging_pkg.pipeline.lint.project import Project
from logging_pkg.pipeline.lint.query import Query
from logging_pkg.pipeline.lint.source import Snippet, SourceFile
from logging_pkg.pipeline.lint.yaml_file import Mapping, YamlFile
from logging_pkg.pipeline.metrics_document import METRICS_DOCUMENT
from logging_pkg.schemas import Registry

#: Where tests of rules are, relative to the project: of Loki's, and of Prometheus's.
RULE_TESTS = ("loki/tests", "loki/prometheus_tests")
#: They follow from the schemas: nobody has to change them by hand.
_GENERATED_DOCUMENTS = frozenset({EVENTS_DOCUMENT, METRICS_DOCUMENT})


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where somebody reads.

    Attributes:
        path, line: the file, relative to the project, and its line from 1.
        kind: `alert`, `rule`, `panel`, `dashboard`, `document`, `test` or `file`.
        name: of the alert, series, panel, dashboard or test; empty for a document.
        text: what is read there, one line.
    """

    path: str
    line: int
    kind: str
    name: str
    text: str

    def __str__(self) -> str:
        generated = "generated " if self.path == RECORDING_RULES else ""
        text = "" if self.text == self.name else f": {self.text}"
        return f"{self.path}:{self.line}  {generated}{self.kind}{f' {self.name}' if self.name else ''}{text}"


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    kind: str
    name: str


class Readers:
    """The readers of one project, read once."""

    def __init__(self, root: Path, registry: Registry) -> None:
        """
        Args:
            root: the project's directory.
            registry: what its queries are understood with.
        """
        self.root = root
        self.registry = registry
        self._project = Project(root, registry)

    @cached_property
    def queries(self) -> list[Query]:
        """Every LogQL query that parses, of rules, links, panels, documents, and tests of rules."""
        found = [query for query in self._project.queries if query.snippet.source.name not in _GENERATED_DOCUMENTS]
        for file in self.tests:
            found += [Query.of(expr, "test") for mapping in mappings(file) if (expr := mapping.text("expr"))]
        return [query for query in found if query.expression is not None]

    @cached_property
    def tests(self) -> list[YamlFile]:
        """The tests of rules."""
        paths = sorted(path for name in RULE_TESTS for path in (self.root / name).rglob("*.y*ml"))
        return [YamlFile.of(SourceFile.read(path, self.root)) for path in paths]

    def mentions(self, words: Iterable[str]) -> list[Place]:
        """Where names of events or series stand, in whatever text."""
        wanted = sorted(set(words), key=len, reverse=True)
        if not wanted:
            return []
        pattern = re.compile(rf"(?<![\w.:])(?:{'|'.join(map(re.escape, wanted))})(?![\w:]|\.\w)")
        return [
            self.place(source, match.start(), match.group())
            for source in self._sources
            for match in pattern.finditer(source.text)
        ]

    def place(self, source: SourceFile, offset: int, text: str) -> Place:
        """A place in a file, with whoever the smallest part around it belongs to."""
        line, _column = source.position(offset)
        around = [span for span in self._spans.get(source.name, ()) if span.start <= offset < span.end]
        owner = min(around, key=lambda span: span.end - span.start, default=None)
        kind = owner.kind if owner else "document" if source.name.endswith(".md") else "file"
        return Place(source.name, line, kind, owner.name if owner else "", " ".join(text.split()))

    def place_in(self, snippet: Snippet, start: int, end: int) -> Place:
        """The place of a part of a snippet."""
        offset = snippet.offsets[min(start, len(snippet.offsets) - 1)]
        return self.place(snippet.source, offset, snippet.text[start:end].strip('"`'))

    @cached_property
    def _sources(self) -> list[SourceFile]:
        project = self._project
        yaml_files = [
            file.source
            for file in (*project.rule_files, *project.prometheus_rule_files, *project.dashboards, *self.tests)
        ]
        documents = [source for source in project.documents if source.name not in _GENERATED_DOCUMENTS]
        return [*yaml_files, *documents, *([project.vector_config] if project.vector_config else [])]

    @cached_property
    def _spans(self) -> dict[str, list[_Span]]:
        found: dict[str, list[_Span]] = {}
        for rule in self._project.all_rules:
            kind, name = ("alert", rule.alert) if rule.alert else ("rule", rule.record)
            found.setdefault(rule.fields.source.name, []).append(_span(rule.fields, kind, name.text if name else ""))
        for file in self._project.dashboards:
            board = title.text if file.root and (title := file.root.text("title")) else file.source.name
            found[file.source.name] = [_span(file.root, "dashboard", board)] if file.root else []
            found[file.source.name] += [
                _span(mapping, "panel", f"{board}: {title.text}")
                for mapping in mappings(file)
                if mapping.get("targets") is not None and (title := mapping.text("title"))
            ]
        for file in self.tests:
            tests = file.root.mappings("tests") if file.root else []
            found[file.source.name] = [
                _span(test, "test", name.text if (name := test.text("name")) else "") for test in tests
            ]
        return found


def mappings(file: YamlFile) -> Iterator[Mapping]:
    """Every mapping of a file, outermost first."""
    if file.root is not None:
        yield from _below(file.root)


def _below(mapping: Mapping) -> Iterator[Mapping]:
    yield mapping
    for _key, node in mapping.node.value:
        for child in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(child, yaml.MappingNode):
                yield from _below(Mapping(mapping.source, child))


def _span(mapping: Mapping, kind: str, name: str) -> _Span:
    return _Span(mapping.node.start_mark.index, mapping.node.end_mark.index, kind, name)
