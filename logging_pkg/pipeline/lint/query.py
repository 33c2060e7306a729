"""One LogQL query of a file, and where files have them.

In: documents, dashboards, texts of annotations. Out: Query values and the snippets they are made of.
Never: judges them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import yaml

from logging_pkg.pipeline.lint.source import Snippet, SourceFile
from logging_pkg.pipeline.lint.variables import filled
from logging_pkg.pipeline.lint.yaml_file import Mapping
from logging_pkg.pipeline.logql import LogQLError, parse
from logging_pkg.pipeline.logql.ast import Expression

_FENCE = re.compile(r"^(?P<indent> *)```logql[^\n]*\n(?P<body>.*?)^ *```", re.MULTILINE | re.DOTALL)
_ALLOW = re.compile(r"#\s*allow\s+([a-z]+/[a-z-]+):\s*\S")
#: A LogQL query as a format string inside an alert's template: printf `{event="…", env=%q} | …` $labels.env
_TEMPLATE_QUERY = re.compile(r"`(\{(?!\")[^`]*)`")
_NULL = "tag:yaml.org,2002:null"


@dataclass(frozen=True)
class Query:
    """One LogQL query.

    Attributes:
        snippet: its text, in place; of a dashboard, with values for variables that the parser does not take.
        where: `rule`, `annotation`, `document`, `dashboard` or `test`.
        expression: what it says; None when it is no LogQL, and then `error` tells why.
    """

    snippet: Snippet
    where: str
    expression: Expression | None
    error: LogQLError | None = None

    @classmethod
    def of(cls, snippet: Snippet, where: str) -> Query:
        """Parse a snippet."""
        if where == "dashboard":
            snippet = filled(snippet, everywhere=False)
        try:
            return cls(snippet, where, parse(snippet.text))
        except LogQLError as error:
            return cls(snippet, where, None, error)

    @cached_property
    def allowed(self) -> frozenset[str]:
        """Checks that a comment in the query switches off: `# allow logql/unbounded-by: why`."""
        return frozenset(_ALLOW.findall(self.snippet.text))


def in_template(text: Snippet) -> Iterator[Snippet]:
    """The LogQL queries in an annotation, filled with empty strings."""
    for match in _TEMPLATE_QUERY.finditer(text.text):
        part = text.cut(*match.span(1))
        yield Snippet(part.source, part.text.replace("%q", '""'), part.offsets)


def fenced(document: SourceFile) -> Iterator[Snippet]:
    """The queries of ```logql blocks; an empty line separates two."""
    for match in _FENCE.finditer(document.text):
        start = match.start("body")
        for part in re.finditer(r"(?:[^\n]*\S[^\n]*\n)+", match.group("body")):
            yield document.snippet(start + part.start(), start + part.end() - 1)


def targets(mapping: Mapping, *, is_loki: bool = False) -> Iterator[Snippet]:
    """The `expr` of everything whose own or nearest outer data source is Loki."""
    source = mapping.get("datasource")
    if source is not None and getattr(source, "tag", "") != _NULL:  # null is the default of the panel around it
        is_loki = _is_loki(mapping, source)
    expr = mapping.text("expr")
    if expr is not None and is_loki:
        yield expr
    for _key, node in mapping.pairs:
        for child in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if isinstance(child, yaml.MappingNode):
                yield from targets(Mapping(mapping.source, child), is_loki=is_loki)


def _is_loki(mapping: Mapping, source: yaml.Node) -> bool:
    """By type, else by uid; old dashboards have a name, exported ones a variable: `${DS_LOKI}`."""
    if isinstance(source, yaml.ScalarNode):
        return "loki" in str(source.value).lower()
    named = mapping.mapping("datasource")
    kind, uid = named.text("type"), named.text("uid")
    if kind is not None:
        return kind.text == "loki"
    return uid is not None and "loki" in uid.text.lower()
