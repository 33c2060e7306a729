"""A YAML document whose every mistake is told with its place.

In: a YAML file. Out: Nodes, which give texts, numbers, durations, mappings and lists, or raise. Never: a key that
nobody reads: an unknown one is an error, since a misspelt expectation would be no expectation.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.rules_test.values import duration_ns
from logging_pkg.pipeline.yaml_nodes import compose

T = TypeVar("T")


class RuleTestError(RuleError):
    """A test file or a rule file it names is broken; the message is `file:line:column: …` and what was expected."""


@dataclass(frozen=True)
class Node:
    """One value of a document.

    Attributes:
        file: the document's path as shown to people.
        name: the key it stands under, or what it is.
        yaml_node: what PyYAML made of it.
    """

    file: str
    name: str
    yaml_node: yaml.Node = field(repr=False)

    @property
    def line(self) -> int:
        """Its line in the file, from 1."""
        return int(self.yaml_node.start_mark.line) + 1

    @functools.cached_property
    def value(self) -> Any:
        """It as Python: dict, list, str, int, float, bool, None; a date stays text."""
        return _Constructor().construct_document(self.yaml_node)

    def error(self, reason: str) -> RuleTestError:
        """An error at its place."""
        mark = self.yaml_node.start_mark
        return RuleTestError(f"{self.file}:{mark.line + 1}:{mark.column + 1}: {reason}")

    def wrong(self, expected: str) -> RuleTestError:
        """An error that tells what it is and what was expected."""
        return self.error(f"{self.name}: {_shown(self.yaml_node)}; {expected}")

    def keys(self, known: Collection[str], required: Collection[str] = ()) -> dict[str, Node]:
        """Its entries, if it is a mapping with no other keys than these.

        Raises:
            RuleTestError: it is something else, or a key is unknown, missing or there twice.
        """
        found = self.entries()
        for key in self._own_keys():
            if key.value not in known:
                near = get_close_matches(key.value, known, n=1)
                hint = f'did you mean "{near[0]}"?' if near else f"known here: {', '.join(known)}"
                raise Node(self.file, self.name, key).error(f'unknown key "{key.value}" in {self.name}; {hint}')
        for key_name in required:
            if key_name not in found:
                raise self.error(f'{self.name} has no "{key_name}"; expected one')
        return {name: child for name, child in found.items() if name in known}

    def entries(self) -> dict[str, Node]:
        """Its entries by name, if it is a mapping; YAML's `<<` is followed, and own entries stand over merged ones."""
        seen: set[str] = set()
        for key in self._own_keys():
            if key.value in seen:
                raise Node(self.file, self.name, key).error(f'second key "{key.value}" in {self.name}; expected one')
            seen.add(key.value)
        merged = yaml.MappingNode(self.yaml_node.tag, list(self.yaml_node.value))
        _Constructor().flatten_mapping(merged)
        return {str(key.value): Node(self.file, str(key.value), child) for key, child in merged.value}

    def items(self) -> list[Node]:
        """Its items, if it is a list."""
        if not isinstance(self.yaml_node, yaml.SequenceNode):
            raise self.wrong("expected a list")
        return [Node(self.file, self.name, child) for child in self.yaml_node.value]

    def text(self) -> str:
        """It as text: a number, date or truth value as it is written."""
        if not isinstance(self.yaml_node, yaml.ScalarNode) or self.value is None:
            raise self.wrong("expected a text")
        return str(self.yaml_node.value)

    def number(self) -> float:
        """It as a number; NaN, +Inf and -Inf as Prometheus writes them."""
        try:
            return float(self.text())
        except ValueError:
            raise self.wrong("expected a number") from None

    def count(self) -> int:
        """It as a whole number from 1 on."""
        if type(self.value) is not int or self.value < 1:
            raise self.wrong("expected a whole number, 1 or more")
        return self.value

    def duration(self, *, at_least: int | None = None) -> int:
        """It as a duration, ns."""
        found = self.read(duration_ns)
        if at_least is not None and found < at_least:
            raise self.wrong("expected a duration above 0" if at_least else "expected no time before 0")
        return found

    def read(self, parse: Callable[[str], T]) -> T:
        """Its text, parsed by a function whose ValueError says what was expected."""
        try:
            return parse(self.text())
        except ValueError as error:
            raise self.wrong(str(error)) from None

    def texts(self) -> dict[str, str]:
        """Its entries as texts, if it is a mapping of such."""
        return {name: child.text() for name, child in self.entries().items()}

    def _own_keys(self) -> list[yaml.ScalarNode]:
        if not isinstance(self.yaml_node, yaml.MappingNode):
            raise self.wrong("expected a mapping, key: value")
        keys = [key for key, _child in self.yaml_node.value]
        for key in keys:
            if not isinstance(key, yaml.ScalarNode):
                raise Node(self.file, self.name, key).error(f"{self.name}: expected a text as key")
        return [key for key in keys if key.tag != "tag:yaml.org,2002:merge"]


def read_document(path: Path, shown: str) -> Node:
    """The root of a YAML file.

    Raises:
        RuleTestError: it cannot be read, or is no YAML.
    """
    try:
        node = compose(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RuleTestError(f"{shown}: {error.strerror}; expected a YAML file") from None
    except UnicodeDecodeError:
        raise RuleTestError(f"{shown}: not UTF-8; expected a YAML file") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise RuleTestError(f"{shown}{place}: no YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise RuleTestError(f"{shown}: no YAML: {' '.join(str(error).split())}") from None
    if node is None:
        raise RuleTestError(f"{shown}: is empty; expected rule_files and tests")
    return Node(shown, path.name, node)


class _Constructor(yaml.constructor.SafeConstructor):
    """Values of nodes; a date stays the text it is, since an event's field is one."""


_Constructor.add_constructor("tag:yaml.org,2002:timestamp", lambda _self, node: node.value)


def _shown(node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        text = str(node.value)
        return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"
