"""What is declared, and answers to questions about it.

In: declarations that `loading` has read. Out: EventSchema values with compiled validators, what is wrong with a line.
Never: reads or writes a file, emits an event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import jsonschema_rs

from logging_pkg.schemas import conventions
from logging_pkg.schemas.acceptor import compile_acceptor
from logging_pkg.schemas.validation import admits_any_value, has_non_finite, problems_of


@dataclass(frozen=True, slots=True)
class Dimension:
    """A field metrics may be grouped by: how many values it can take, and why it cannot take more."""

    bound: int
    why: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric derived from an event (an entry of `x-metrics`).

    Attributes:
        name: metric name without level and operation, e.g. `http_response_time`.
        kind: `counter`, `histogram` or `gauge`.
        field: the numeric field it is computed from; None counts events.
        unit: unit of the field (`ms`, `bytes`, `ratio`, `1`).
        by: dimensions, besides service_name and env.
        window: LogQL duration that replaces the default window, e.g. `1m`.
        description: what it tells, one sentence.
        weight: of a counter of sampled events, the field that says how many each line stands for.
        interval: how often the series is recorded, where the window's own interval is too dear, e.g. `2m`.
    """

    name: str
    kind: str
    field: str | None
    unit: str
    by: tuple[str, ...]
    window: str | None
    description: str
    weight: str | None = None
    interval: str | None = None


@dataclass(frozen=True)
class EventSchema:
    """One declared event. `properties` are its own fields; the envelope's are in `Registry.envelope`."""

    name: str
    version: int
    level: str
    description: str
    properties: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]
    metrics: tuple[Metric, ...]
    path: Path
    document: Mapping[str, Any] = field(repr=False)

    @cached_property
    def dimensions(self) -> Mapping[str, Dimension]:
        """The fields metrics may be grouped by."""
        return {
            name: Dimension(schema["x-dimension"]["bound"], schema["x-dimension"]["why"])
            for name, schema in self.properties.items()
            if "x-dimension" in schema
        }

    @cached_property
    def validator(self) -> Any:
        """jsonschema-rs validator of the event's own fields (what a caller passes)."""
        return jsonschema_rs.Draft202012Validator(dict(self.document))

    @cached_property
    def accepts(self) -> Callable[[Any], bool]:
        """Whether a mapping of the event's own fields is valid. The hot path's only check."""
        is_valid: Callable[[Any], bool] = self.validator.is_valid
        if not admits_any_value(self.document):
            return compile_acceptor(self.document, is_valid)  # no declared type admits NaN
        return lambda fields: is_valid(fields) and not has_non_finite(fields)


@dataclass(frozen=True)
class Registry:
    """All declared events, and the envelope they share."""

    events: Mapping[str, EventSchema]
    envelope: Mapping[str, Any]
    directories: tuple[Path, ...]

    @cached_property
    def _line_validators(self) -> dict[str, Any]:
        return {}

    def line_schema(self, event: str) -> dict[str, Any]:
        """The JSON Schema of a whole line: envelope and event, nothing else. KeyError for an unknown event."""
        schema = self.events[event]
        return {
            "$schema": schema.document["$schema"],
            "title": event,
            "type": "object",
            "properties": {**self.envelope["properties"], **schema.properties, "event": {"const": event}},
            "required": [*self.envelope["required"], *sorted(schema.required)],
            "additionalProperties": False,
            **{name: schema.document[name] for name in ("patternProperties",) if name in schema.document},
        }

    def field(self, event: str, name: str) -> Mapping[str, Any] | None:
        """The property schema of a field of an event's line, envelope included; None when there is none."""
        schema = self.events.get(event)
        if schema is not None and name in schema.properties:
            return schema.properties[name]
        found: Mapping[str, Any] | None = self.envelope["properties"].get(name)
        return found

    def problems(self, line: Mapping[str, Any]) -> list[str]:
        """What is wrong with a whole line; empty when it is valid. Messages never repeat a value."""
        event = line.get("event")
        if not isinstance(event, str) or event not in self.events:
            return [self.unknown_event(event)]
        validator = self._line_validators.get(event)
        if validator is None:
            validator = self._line_validators[event] = jsonschema_rs.Draft202012Validator(self.line_schema(event))
        if validator.is_valid(line):
            return []
        known = [*self.events[event].properties, *self.envelope["properties"]]
        return problems_of(validator, line, event=event, known_fields=known, source=self.events[event].path.name)

    def unknown_event(self, event: object) -> str:
        """The sentence that says an event name is not declared, with the nearest declared one."""
        from difflib import get_close_matches

        if not isinstance(event, str) or conventions.EVENT_NAME_PATTERN.fullmatch(event) is None or len(event) > 64:
            # Not repeated: where a sentence stands for the name, it may hold anything ("user a@b.example signed in").
            found = f"a text of {len(event)} characters" if isinstance(event, str) else f"a {type(event).__name__}"
            return (
                f"the event name is {found}, expected <domain>.<noun>_<past verb>, such as http.request_finished; "
                "declare events in log_schemas/"
            )
        near = get_close_matches(event, self.events, n=1)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        return f'unknown event "{event}"{hint}; declare it in log_schemas/{event}.json'


def is_numeric(schema: Mapping[str, Any] | None) -> bool:
    """Whether a field's schema admits numbers only (null aside), so that LogQL can `unwrap` it."""
    if schema is None:
        return False
    if "enum" in schema:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in schema["enum"])
    kinds = schema.get("type")
    kinds = {kinds} if isinstance(kinds, str) else set(kinds or ())
    return bool(kinds & {"integer", "number"}) and kinds <= {"integer", "number", "null"}
