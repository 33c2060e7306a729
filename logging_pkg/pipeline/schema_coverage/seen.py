"""Count what a stream of events exercises of its schemas.

In: lines, one at a time. Out: per event, field, option and metric, how often it was seen. Never: keeps a value but an
option of an enum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logging_pkg.schemas import EventSchema, Registry
from logging_pkg.schemas.conventions import EVENT_NAME_PATTERN

#: Names of undeclared events that are remembered; further ones are only counted.
MAX_NAMES = 50


@dataclass
class FieldSeen:
    """How a field came: with a value, as null, and which of its options.

    Attributes:
        options: of an enum, how often each was seen, null left out; empty for other fields.
    """

    value_count: int = 0
    null_count: int = 0
    options: dict[Any, int] = field(default_factory=dict)

    @property
    def missing_options(self) -> list[Any]:
        """Options never seen."""
        return [option for option, count in self.options.items() if not count]


@dataclass
class EventSeen:
    """What was seen of one event: lines, fields by path (`queries[].alias`), metrics."""

    line_count: int = 0
    fields: dict[str, FieldSeen] = field(default_factory=dict)
    metrics: dict[str, int] = field(default_factory=dict)

    def never(self) -> list[str]:
        """Fields that never came, not even as null."""
        return [path for path, seen in self.fields.items() if not seen.value_count and not seen.null_count]

    def only_null(self) -> list[str]:
        """Fields that came as null only."""
        return [path for path, seen in self.fields.items() if seen.null_count and not seen.value_count]


class Coverage:
    """Fed line by line; its size depends on the schemas, not on how many lines there are.

    Args:
        registry: what is declared.
        wanted: which of the events are to be covered.

    Attributes:
        events: what was seen of each event that is to be covered.
        line_count: lines of declared events that are valid.
        invalid_count: lines of declared events that break their schema; they exercise nothing.
        unreadable_count: lines that are no JSON object.
        undeclared: names of events that no schema declares; where a name is none, `(no event name)`.
    """

    def __init__(self, registry: Registry, wanted: Callable[[str], bool] = lambda _name: True) -> None:
        self.registry = registry
        self.events = {name: _unseen(schema) for name, schema in sorted(registry.events.items()) if wanted(name)}
        self.line_count = 0
        self.invalid_count = 0
        self.unreadable_count = 0
        self.undeclared: Counter[str] = Counter()

    def add(self, line: Mapping[str, Any] | None) -> None:
        """Count one line; None is one that could not be read."""
        if line is None:
            self.unreadable_count += 1
            return
        name = line.get("event")
        if not isinstance(name, str) or name not in self.registry.events:
            self._add_undeclared(name)
        elif self.registry.problems(line):
            self.invalid_count += 1
        else:
            self.line_count += 1
            if name in self.events:
                _add(self.events[name], self.registry.events[name], line)

    def _add_undeclared(self, name: object) -> None:
        # Text that is no event name may be anybody's sentence: it is not repeated.
        known = name if isinstance(name, str) and EVENT_NAME_PATTERN.fullmatch(name) else "(no event name)"
        if known in self.undeclared or len(self.undeclared) < MAX_NAMES:
            self.undeclared[known] += 1
        else:
            self.undeclared["(further names)"] += 1


def _unseen(schema: EventSchema) -> EventSeen:
    fields = {path: FieldSeen(options=_options(declared)) for path, declared in _paths(schema.properties)}
    return EventSeen(0, fields, dict.fromkeys((metric.name for metric in schema.metrics), 0))


def _options(declared: Mapping[str, Any]) -> dict[Any, int]:
    return {
        option: 0 for option in declared.get("enum", ()) if option is not None and not isinstance(option, list | dict)
    }


def _paths(properties: Mapping[str, Mapping[str, Any]], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, declared in properties.items():
        yield prefix + name, declared
        yield from _paths(declared.get("properties", {}), f"{prefix}{name}.")
        items = declared.get("items")
        if isinstance(items, Mapping):
            yield from _paths(items.get("properties", {}), f"{prefix}{name}[].")


def _add(seen: EventSeen, schema: EventSchema, line: Mapping[str, Any]) -> None:
    seen.line_count += 1
    _add_members(seen.fields, line, "")
    for metric in schema.metrics:
        number = metric.field or metric.weight
        if number is None or line.get(number) is not None:
            seen.metrics[metric.name] += 1


def _add_members(fields: dict[str, FieldSeen], members: Mapping[str, Any], prefix: str) -> None:
    for name, value in members.items():
        path = prefix + name
        found = fields.get(path)
        if found is None:
            continue  # the envelope's, or within a field that declares no members
        if value is None:
            found.null_count += 1
            continue
        found.value_count += 1
        if isinstance(value, Mapping):
            _add_members(fields, value, f"{path}.")
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, Mapping):
                    _add_members(fields, item, f"{path}[].")
        elif value in found.options:
            found.options[value] += 1
