"""The lines a test stores: events of declared schemas, or any lines of any streams.

In: the nodes under `input_events` and `input_lines`. Out: EventLine and RawLine values in order. Never: an event that
the application could not have written; what the schema refuses is an error at its place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from logging_pkg.exceptions import SchemaError
from logging_pkg.pipeline.rules_test.document import Node
from logging_pkg.pipeline.rules_test.model import EventLine, RawLine
from logging_pkg.pipeline.rules_test.sample import plain_event
from logging_pkg.pipeline.rules_test.values import series
from logging_pkg.schemas import Registry

#: The program and environment of an event that sets none.
DEFAULTS: Final = {"service_name": "web", "env": "test"}
#: Filled in when a line is stored; a test cannot set them.
STAMPED: Final = ("timestamp", "seq", "event_id")

_TIME_KEYS = ("at", "every", "until", "count")
ANY_TIMESTAMP = "2000-01-01T00:00:00.000000Z"
_INSTANCE_ID = "0" * 31 + "1"
IDENTITY: Final = {
    "instance_id": _INSTANCE_ID,
    "seq": 1,
    "event_id": f"{_INSTANCE_ID}-1",
    "correlation_id": "0" * 31 + "1",
    "span_id": "0" * 15 + "1",
    "level": "info",
    "release": "",
}


def read_events(node: Node, registry: Registry, interval_ns: int) -> Iterator[EventLine]:
    """The events of one entry of `input_events`.

    Raises:
        RuleTestError: the event is not declared, a field is not as its schema says, or times make no sense.
    """
    entries = node.keys(("event", "fields", "values", *_TIME_KEYS), required=("event",))
    event = entries["event"].text()
    if event not in registry.events:
        raise entries["event"].error(registry.unknown_event(event))
    fields = _fields(entries.get("fields"))
    rows = _rows(entries["values"]) if "values" in entries else None
    version = registry.events[event].version
    base = {**DEFAULTS, "event": event, "schema_version": version, "timestamp": ANY_TIMESTAMP, **IDENTITY}
    try:
        base |= plain_event(registry.line_schema(event), {*base, *fields})
    except SchemaError as error:
        raise node.error(f"{event}: {error}; expected its value under `fields`") from None
    for at_ns, row in _times(node, entries, rows, interval_ns):
        made = base | fields | row
        problems = registry.problems(made)
        if problems:
            raise (entries.get("fields") or entries.get("values") or node).error("; ".join(problems))
        yield EventLine(at_ns, made)


def read_lines(node: Node, interval_ns: int) -> Iterator[RawLine]:
    """The lines of one entry of `input_lines`.

    Raises:
        RuleTestError: it has no labels or no line, or times make no sense.
    """
    entries = node.keys(("labels", "metadata", "line", "lines", *_TIME_KEYS), required=("labels",))
    labels = entries["labels"].texts()
    if not any(labels.values()):
        raise entries["labels"].error("labels: expected at least one, name: value; a stream in Loki has one or more")
    metadata = entries["metadata"].texts() if "metadata" in entries else {}
    if ("line" in entries) == ("lines" in entries):
        raise node.error('expected either "line" (one text) or "lines" (one text after the other, `every` apart)')
    rows = [{"line": item.text()} for item in entries["lines"].items()] if "lines" in entries else None
    for at_ns, row in _times(node, entries, rows, interval_ns):
        yield RawLine(at_ns, labels, metadata, row.get("line") or entries["line"].text())


def _fields(node: Node | None) -> dict[str, Any]:
    found = node.entries() if node is not None else {}
    for name, child in found.items():
        if name in STAMPED:
            raise child.error(f"{name} is set when the event is stored; expected other fields")
    return {name: child.value for name, child in found.items()}


def _rows(node: Node) -> list[dict[str, Any] | None]:
    """One mapping of fields per time; None where there is no event."""
    columns: dict[str, list[Any]] = {}
    for name, child in node.entries().items():
        if name in STAMPED:
            raise child.error(f"{name} is set when the event is stored; expected other fields")
        columns[name] = child.value if isinstance(child.value, list) else child.read(series)
        if len(columns[name]) != len(next(iter(columns.values()))):
            raise child.error(
                f"{name}: {len(columns[name])} values, but {next(iter(columns))} has "
                f"{len(next(iter(columns.values())))}; expected as many"
            )
    rows: list[dict[str, Any] | None] = []
    for number, row in enumerate(zip(*columns.values(), strict=True), 1):
        gaps = sum(value is None for value in row)
        if gaps not in {0, len(row)}:
            raise node.error(f"values: number {number} is missing in some fields; expected in all or none of them")
        rows.append(None if gaps else dict(zip(columns, row, strict=True)))
    return rows


def _times(
    node: Node,
    entries: dict[str, Node],
    rows: list[dict[str, Any]] | list[dict[str, Any] | None] | None,
    interval_ns: int,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """When each line is, and what it has of its own; `count` copies at each time."""
    start = entries["at"].duration() if "at" in entries else 0
    step = entries["every"].duration(at_least=1) if "every" in entries else interval_ns
    copies = entries["count"].count() if "count" in entries else 1
    if rows is not None:
        if "until" in entries:
            raise entries["until"].error("the number of values or lines says until when; expected no `until`")
        for number, row in enumerate(rows):
            if row is not None:
                yield from [(start + number * step, row)] * copies
        return
    if "every" in entries and "until" not in entries:
        raise entries["every"].error("every: expected `until` too, or `values` or `lines`, which say how often")
    end = entries["until"].duration() if "until" in entries else start
    if end < start:
        raise entries["until"].error(f"until: {entries['until'].text()} is before `at`")
    if (end - start) // step * copies > 100_000:
        raise node.error(f"{(end - start) // step * copies} lines; expected at most 100000")
    for at_ns in range(start, end + 1, step):
        yield from [(at_ns, {})] * copies
