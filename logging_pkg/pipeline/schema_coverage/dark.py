"""Which rules, alerts and panels hang on something the stream never had.

In: a Coverage, the Readers of a project. Out: a Dark per reader with what it waits for. Never: documents and tests.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from logging_pkg.pipeline.generate import rules_of
from logging_pkg.pipeline.readers import Place, Readers
from logging_pkg.pipeline.reads import FieldRead, LogRead, log_reads
from logging_pkg.pipeline.schema_coverage.seen import Coverage

_KINDS = ("alert", "rule", "panel")
#: More selected events than this are counted, not named.
_SHOWN_EVENTS = 3


@dataclass(frozen=True, slots=True)
class Dark:
    """A reader, the place it stands at first, and what it reads that was never seen."""

    place: Place
    lacks: tuple[str, ...]


def in_the_dark(coverage: Coverage, readers: Readers) -> list[Dark]:
    """Every rule, alert and panel that reads an event, field, option or metric never seen, in the order of files."""
    found: dict[tuple[str, str, str], tuple[Place, dict[str, None]]] = {}
    for place, lacks in sorted(_lacking(coverage, readers)):
        if place.kind in _KINDS:
            _first, reasons = found.setdefault((place.path, place.kind, place.name), (place, {}))
            reasons.update(dict.fromkeys(lacks))  # each once, in order
    return [Dark(place, tuple(reasons)) for place, reasons in found.values()]


def _lacking(coverage: Coverage, readers: Readers) -> Iterator[tuple[Place, list[str]]]:
    for query in readers.queries:
        if query.expression is None:
            continue
        for read in log_reads(query.expression, readers.registry):
            lacks = list(_lacks(read, coverage))
            if lacks:
                yield readers.place_in(query.snippet, read.start, read.end), lacks
    yield from _without_series(coverage, readers)


def _without_series(coverage: Coverage, readers: Readers) -> Iterator[tuple[Place, list[str]]]:
    """Who names a series of a metric never exercised; rules name their own, and are judged by what they read."""
    lacking = {}
    for name, seen in coverage.events.items():
        schema = coverage.registry.events[name]
        for metric in schema.metrics:
            if not seen.metrics[metric.name]:
                what = f"metric {metric.name}" if seen.line_count else f"event {name}"
                lacking.update({rule.record: what for rule in rules_of(schema, metric)})
    for place in readers.mentions(lacking):
        if place.kind != "rule":
            yield place, [lacking[place.text]]


def _lacks(read: LogRead, coverage: Coverage) -> Iterator[str]:
    wanted = [name for name in read.events if name in coverage.events]
    if not wanted:
        return
    seen = [name for name in wanted if coverage.events[name].line_count]
    if not seen:
        yield f"event {_named(wanted)}"
        return
    for field in read.fields:
        yield from _lacking_field(field, seen, coverage)


def _lacking_field(read: FieldRead, events: list[str], coverage: Coverage) -> Iterator[str]:
    declared = {
        name: coverage.events[name].fields[read.field] for name in events if read.field in coverage.events[name].fields
    }
    if not declared:
        return  # the envelope's
    of = _named(list(declared))
    if not any(field.value_count for field in declared.values()):
        only_null = any(field.null_count for field in declared.values())
        yield f"field {read.field} of {of}{', which was only null' if only_null else ''}"
        return
    asked = {option for field in declared.values() for option in field.options if read.asks_for(option)}
    if asked and not any(field.options.get(option) for field in declared.values() for option in asked):
        yield f"{read.field} {' or '.join(json.dumps(option) for option in sorted(asked, key=str))} of {of}"


def _named(events: list[str]) -> str:
    return " or ".join(events) if len(events) <= _SHOWN_EVENTS else f"any of {len(events)}"
