"""Who reads what a breaking change takes away or changes.

In: a Change and the Readers of a project. Out: Places. Never: the change itself.
"""

from __future__ import annotations

from collections.abc import Iterator

import yaml

from logging_pkg.pipeline.lint.source import Snippet, scalar
from logging_pkg.pipeline.lint.yaml_file import Mapping
from logging_pkg.pipeline.readers import Place, Readers, mappings
from logging_pkg.pipeline.reads import FieldRead, LogRead, is_within, log_reads
from logging_pkg.pipeline.schema_diff.changes import ENVELOPE, Change
from logging_pkg.pipeline.schema_diff.values import same


class Uses:
    """Finds the places that changes hit; the queries are understood with the old schemas."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._reads = [
            (query.snippet, read)
            for query in readers.queries
            if query.expression is not None
            for read in log_reads(query.expression, readers.registry)
        ]

    def of(self, change: Change) -> list[Place]:
        """Where something reads what the change takes away: one place per line, in the order of files."""
        if not change.is_breaking or change.kind == "field-required":
            return []  # what is required hits who writes the event, not who reads it
        found: dict[tuple[str, int], Place] = {}
        for place in sorted(self._places(change)):
            found.setdefault((place.path, place.line), place)
        return list(found.values())

    def _places(self, change: Change) -> Iterator[Place]:
        if change.kind == "event-removed":
            yield from self._readers.mentions([change.event, *change.series])
            for snippet, read in self._reads:
                if read.is_choice and change.event in read.events:
                    yield self._readers.place_in(snippet, read.start, read.end)
        elif change.series:
            yield from self._readers.mentions(change.series)
        else:
            yield from self._in_queries(change)
            yield from self._in_tests(change)

    def _in_queries(self, change: Change) -> Iterator[Place]:
        for snippet, read in self._reads:
            if not _selects(read, change.event):
                continue
            for field in read.fields:
                if _is_hit(field, change):
                    yield self._readers.place_in(snippet, field.start, field.end)

    def _in_tests(self, change: Change) -> Iterator[Place]:
        """Fields that tests of rules give to the event: `event: …`, `fields: {…}`."""
        if change.kind == "dimension-removed":
            return
        for file in self._readers.tests:
            for mapping in mappings(file):
                event = mapping.text("event")
                if event is None or change.event not in {event.text, ENVELOPE}:
                    continue
                for key, node in mapping.mapping("fields").pairs:
                    if is_within(change.field, key.text) and _gives(mapping, node, change):
                        yield self._readers.place_in(key, 0, len(key.text))


def _selects(read: LogRead, event: str) -> bool:
    return event == ENVELOPE or event in read.events


def _is_hit(field: FieldRead, change: Change) -> bool:
    if not is_within(field.field, change.field):
        return False
    if change.kind == "option-removed":
        return field.asks_for(change.option)
    return change.kind != "dimension-removed" or field.role == "grouped"


def _gives(mapping: Mapping, node: yaml.Node, change: Change) -> bool:
    """Whether a test's value is the option that went; any value, where the field changed as a whole."""
    if change.kind != "option-removed":
        return True
    if not isinstance(node, yaml.ScalarNode):
        return False
    text: Snippet = scalar(mapping.source, node)
    return same(yaml.safe_load(text.text) if not node.style else text.text, change.option)
