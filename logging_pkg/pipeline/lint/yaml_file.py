"""YAML whose keys and scalars know their places.

In: the text of a YAML or JSON file. Out: mappings, or what is wrong and where. Never: an opinion on what it says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import yaml

from logging_pkg.pipeline.lint.source import Snippet, SourceFile, scalar
from logging_pkg.pipeline.yaml_nodes import compose, compose_all


@dataclass(frozen=True)
class Mapping:
    """A YAML mapping of scalars and further nodes, keys in place."""

    source: SourceFile
    node: yaml.MappingNode

    @cached_property
    def pairs(self) -> list[tuple[Snippet, yaml.Node]]:
        """Keys and values in order."""
        return [(scalar(self.source, key), value) for key, value in self.node.value if isinstance(key, yaml.ScalarNode)]

    def get(self, key: str) -> yaml.Node | None:
        """The value of a key."""
        return next((value for name, value in self.pairs if name.text == key), None)

    def text(self, key: str) -> Snippet | None:
        """The scalar of a key."""
        value = self.get(key)
        return scalar(self.source, value) if isinstance(value, yaml.ScalarNode) else None

    def mapping(self, key: str) -> Mapping:
        """The mapping of a key; empty when there is none."""
        value = self.get(key)
        if isinstance(value, yaml.MappingNode):
            return Mapping(self.source, value)
        return Mapping(self.source, yaml.MappingNode("tag:yaml.org,2002:map", []))

    def mappings(self, key: str) -> list[Mapping]:
        """The mappings in the list of a key."""
        value = self.get(key)
        entries = value.value if isinstance(value, yaml.SequenceNode) else []
        return [Mapping(self.source, entry) for entry in entries if isinstance(entry, yaml.MappingNode)]

    @property
    def head(self) -> Snippet:
        """Where it begins."""
        start = self.node.start_mark.index
        line_end = self.source.text.find("\n", start)
        return self.source.snippet(start, line_end if line_end > start else start + 1)


@dataclass(frozen=True)
class YamlFile:
    """A YAML or JSON file: its root mapping, or what the YAML parser says is wrong and where."""

    source: SourceFile
    root: Mapping | None
    error: str = ""
    error_offset: int = 0

    @classmethod
    def of(cls, source: SourceFile) -> YamlFile:
        """Parse a file of one document."""
        try:
            return cls._document(source, compose(source.text))
        except yaml.YAMLError as error:
            return cls._broken(source, error)

    @classmethod
    def all_of(cls, source: SourceFile) -> list[YamlFile]:
        """Parse a file of several documents; empty ones are left out. One that is no YAML is one with an error."""
        try:
            return [cls._document(source, node) for node in compose_all(source.text)]
        except yaml.YAMLError as error:
            return [cls._broken(source, error)]

    @classmethod
    def _document(cls, source: SourceFile, node: yaml.Node | None) -> YamlFile:
        if not isinstance(node, yaml.MappingNode):
            return cls(source, None, "expected a mapping at the top", node.start_mark.index if node else 0)
        return cls(source, Mapping(source, node))

    @classmethod
    def _broken(cls, source: SourceFile, error: yaml.YAMLError) -> YamlFile:
        if not isinstance(error, yaml.MarkedYAMLError):
            return cls(source, None, str(error).splitlines()[0])
        mark = error.problem_mark
        return cls(source, None, error.problem or "not YAML", mark.index if mark else 0)
