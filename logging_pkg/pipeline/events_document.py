"""Write docs/EVENTS.md: every declared event, for people.

In: a schema registry. Out: the text of docs/EVENTS.md; the same registry gives the same bytes. Never: the clock, a path
of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from logging_pkg.pipeline.generate import rules_of
from logging_pkg.pipeline.markdown import GENERATED, anchor, block, code, prose, table
from logging_pkg.schemas import EventSchema, Registry
from logging_pkg.schemas.examples import example_lines

#: The generated file, relative to the project.
EVENTS_DOCUMENT: Final = "docs/EVENTS.md"

_INTRODUCTION = """\
# Events

Every event that is declared, {count} of them. A line is the [envelope](#envelope) and the event's own fields, and
nothing else. A field is there in every line unless it says *optional*; *null* is a value it may have. Units are in the
names. A *dimension* has few values, so metrics may be grouped by it; what is *hashed* is a keyed hash of the value.

What is counted and measured of them: [METRICS.md](METRICS.md). How to change one: [SCHEMAS.md](SCHEMAS.md).
"""
_UNITS = {"ms": "ms", "us": "µs", "s": "s", "bytes": "bytes", "ratio": "ratio"}
#: Keywords that bound a value, as they are shown.
_BOUNDS = (
    ("minimum", "≥ {}"), ("exclusiveMinimum", "> {}"), ("maximum", "≤ {}"), ("exclusiveMaximum", "< {}"),
    ("multipleOf", "multiple of {}"), ("minLength", "≥ {} characters"), ("maxLength", "≤ {} characters"),
    ("minItems", "≥ {} items"), ("maxItems", "≤ {} items"),
)  # fmt: skip


def events_document(registry: Registry) -> str:
    """Return the text of docs/EVENTS.md.

    Raises:
        RuleError: a metric cannot be written as a rule.
        SchemaError: no example can be made of an event.
    """
    names = sorted(registry.events)
    index = table(
        ("event", "is"),
        ((f"[{name}]({anchor(name)})", prose(_first_sentence(registry.events[name]))) for name in names),
    )
    parts = [GENERATED, _INTRODUCTION.format(count=len(names)), index, _envelope(registry)]
    return "\n".join([*parts, *(_event(registry, registry.events[name]) for name in names)])


def _first_sentence(event: EventSchema) -> str:
    return event.description.partition(". ")[0].removesuffix(".") + "."


def _envelope(registry: Registry) -> str:
    fields = _fields(registry.envelope["properties"], frozenset(registry.envelope["required"]))
    return f"## Envelope\n\n{prose(registry.envelope['description'])}\n\n{_fields_table(fields)}"


def _event(registry: Registry, event: EventSchema) -> str:
    about = [f"Version {event.version}", f"since {event.document['x-since']}", f"level {event.level}"]
    about += ["**deprecated**"] if event.document.get("deprecated") else []
    parts = [f"## {event.name}\n", f"{prose(event.description)}\n", f"{', '.join(about)}.\n"]
    if event.properties:
        parts.append(_fields_table(_fields(event.properties, event.required)))
    if event.metrics:
        parts.append(_metrics_table(event))
    (line,) = example_lines(registry, event.name, 1, first=1)
    parts.append(block("json", orjson.dumps(line).decode()))
    return "\n".join(parts)


def _metrics_table(event: EventSchema) -> str:
    rows = []
    for metric in event.metrics:
        of = " × ".join(code(name) for name in (metric.field, metric.weight) if name) or "events"
        series = "<br>".join(code(rule.record) for rule in rules_of(event, metric))
        rows.append(
            (code(metric.name), metric.kind, of, ", ".join(map(code, metric.by)), series, prose(metric.description))
        )
    return table(("metric", "kind", "of", "by", "recorded series", "tells"), rows)


def _fields_table(rows: Iterator[tuple[str, ...]]) -> str:
    return table(("field", "type", "unit", "bounds", "notes", "description"), rows)


def _fields(
    properties: Mapping[str, Mapping[str, Any]], required: frozenset[str], prefix: str = ""
) -> Iterator[tuple[str, ...]]:
    """A row per field, those within lists and objects included as `queries[].alias`."""
    for name, schema in properties.items():
        notes = [] if name in required else ["optional"]
        yield (
            code(prefix + name),
            _type(schema),
            next((unit for suffix, unit in _UNITS.items() if name.endswith(f"_{suffix}")), ""),
            _bounds(schema),
            ", ".join([*notes, *_notes(schema)]),
            prose(schema.get("description", "")),
        )
        yield from _below(prefix + name, schema)


def _below(path: str, schema: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    items = schema.get("items", {})
    if "properties" in schema:
        yield from _fields(schema["properties"], frozenset(schema.get("required", ())), f"{path}.")
    elif "properties" in items:
        yield from _fields(items["properties"], frozenset(items.get("required", ())), f"{path}[].")


def _type(schema: Mapping[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return "one of"
    kinds = schema.get("type", "anything")
    kinds = [kinds] if isinstance(kinds, str) else kinds
    items = schema.get("items", {}).get("type", "")
    shown = [f"{kind} of {items}" if kind == "array" and isinstance(items, str) and items else kind for kind in kinds]
    return " or ".join(f"*{kind}*" if kind == "null" else kind for kind in shown)


def _bounds(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(code(_literal(value)) for value in schema["enum"])
    if "const" in schema:
        return code(_literal(schema["const"]))
    said = [text.format(f"{schema[keyword]:,}") for keyword, text in _BOUNDS if keyword in schema]
    said += [code(schema["pattern"])] if "pattern" in schema else []
    items = schema.get("items", {})
    said += [f"each {_bounds(items)}"] if items and "properties" not in items and _bounds(items) else []
    return ", ".join(said)


def _literal(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _notes(schema: Mapping[str, Any]) -> Iterator[str]:
    if "x-dimension" in schema:
        dimension = schema["x-dimension"]
        why = "" if dimension["why"] == "enum" else f": {prose(dimension['why'])}"
        yield f"dimension (≤ {dimension['bound']:,}{why})"
    if "x-sensitive" in schema:
        yield str(schema["x-sensitive"])
    if schema.get("deprecated"):
        yield "**deprecated**"
