"""Words for fields, events and where they are declared.

In: schemas. Out: phrases for messages and hints. Never: problems.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from logging_pkg.pipeline.lint.labels import fields_of, schemas_at
from logging_pkg.pipeline.lint.problem import nearest
from logging_pkg.schemas import Registry

_UNITS = {"_ms": "ms", "_us": "µs", "_s": "s", "_bytes": "bytes"}


def see(events: Sequence[str]) -> str:
    """Where to look a field up: the schema of the event, or of the envelope when many events are meant."""
    return f"see log_schemas/{events[0]}.json" if len(events) == 1 else "see log_schemas/"


def named(events: Sequence[str]) -> str:
    """The selected events, as a message names them."""
    if len(events) > 3:
        return f"any of {len(events)} events"
    return " or ".join(events)


def kind_of(name: str, schema: Mapping[str, Any]) -> str:
    """Type and unit of a field: `number, ms`."""
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kinds = schema.get("type", "anything")
    kind = kinds if isinstance(kinds, str) else " or ".join(kinds)
    unit = next((unit for suffix, unit in _UNITS.items() if name.endswith(suffix)), "")
    return f"{kind}, {unit}" if unit else kind


def did_you_mean(word: str, events: list[str], registry: Registry) -> str:
    """A hint with the nearest field of these events, its type, and where it is declared."""
    near = nearest(word, fields_of(events, registry))
    if near is None:
        return see(events)
    schemas = schemas_at(near, events, registry)
    return f"did you mean {near} ({kind_of(near, schemas[0])})?  {see(events)}"
