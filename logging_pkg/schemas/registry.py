"""Load the event declarations of one or more directories and answer questions about them.

In: directories of JSON Schema files. Out: a Registry of EventSchema values with compiled validators.
Never: writes a file, emits an event.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema_rs

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas import conventions
from logging_pkg.schemas.acceptor import compile_acceptor
from logging_pkg.schemas.validation import admits_any_value, has_non_finite, problems_of

METRIC_KINDS = ("counter", "histogram", "gauge")
#: Envelope fields a metric may be grouped by; service_name and env are in every metric anyway.
_ENVELOPE_DIMENSIONS = ("level", "release")
_WINDOW_PATTERN = re.compile(r"[1-9][0-9]*[smhd]")


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
    """

    name: str
    kind: str
    field: str | None
    unit: str
    by: tuple[str, ...]
    window: str | None
    description: str
    weight: str | None = None


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


def builtin_directory() -> Path:
    """The directory of the schemas shipped with this package."""
    return Path(str(resources.files("log_schemas")))


def load_registry(directories: Iterable[Path | str] = ()) -> Registry:
    """Load the built-in schemas and those of further directories.

    Raises:
        SchemaError: a directory or file cannot be read, a file is not a valid declaration, or two directories
            declare the same event. The message names the file and the place in it.
    """
    builtin = builtin_directory()
    envelope = _read(builtin / "envelope.json")
    _check_json_schema(envelope, builtin / "envelope.json")
    all_directories = (builtin, *(Path(directory) for directory in directories))
    events: dict[str, EventSchema] = {}
    for directory in all_directories:
        if not directory.is_dir():
            raise SchemaError(f"{directory}: no such schema directory; check the setting SCHEMA_DIRECTORIES")
        for path in sorted(directory.glob("*.json")):
            if path.name == "envelope.json":
                if directory != builtin:
                    raise SchemaError(f"{path}: only the built-in directory may declare the envelope; rename the file")
                continue
            schema = _load_event(path, envelope)
            if schema.name in events:
                earlier = events[schema.name].path
                raise SchemaError(f'{path}: event "{schema.name}" is already declared in {earlier}; rename one of them')
            events[schema.name] = schema
    return Registry(MappingProxyType(events), MappingProxyType(envelope), all_directories)


def _read(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SchemaError(f"{path}: not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise SchemaError(f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}") from error
    if not isinstance(document, dict):
        raise SchemaError(f"{path}: expected a JSON object at the top, found {type(document).__name__}")
    return document


def _check_json_schema(document: dict[str, Any], path: Path) -> None:
    try:
        jsonschema_rs.Draft202012Validator(document, retriever=_refuse_to_fetch)
    except ValueError as error:  # jsonschema_rs.ValidationError is one
        place = "/".join(str(part) for part in getattr(error, "instance_path", [])) or "(top)"
        raise SchemaError(f"{path}: at {place}: not a valid JSON Schema: {_first_line(error)}") from error


def _refuse_to_fetch(uri: str) -> None:
    raise ValueError(f"$ref to {uri[:100]}: schemas are read from their own file only")


def _first_line(error: Exception) -> str:
    return (getattr(error, "message", None) or str(error)).splitlines()[0][:300]


def _load_event(path: Path, envelope: Mapping[str, Any]) -> EventSchema:
    document = _read(path)
    name = path.name.removesuffix(".json")

    def fail(place: str, found: object, expected: str) -> SchemaError:
        return SchemaError(f"{path}: at {place}: found {json.dumps(found, default=str)[:80]}, expected {expected}")

    if conventions.EVENT_NAME_PATTERN.fullmatch(name) is None:
        raise fail("(file name)", path.name, "<domain>.<noun>_<past verb>.json, lower case")
    if document.get("title") != name:
        raise fail("title", document.get("title"), f'"{name}", the file name without .json')
    if document.get("type") != "object":
        raise fail("type", document.get("type"), '"object"')
    if document.get("additionalProperties") is not False:
        raise fail("additionalProperties", document.get("additionalProperties"), "false")
    if document.get("$schema") != "https://json-schema.org/draft/2020-12/schema":
        raise fail("$schema", document.get("$schema"), '"https://json-schema.org/draft/2020-12/schema"')
    level = document.get("x-level", "info")
    if level not in conventions.LEVELS:
        raise fail("x-level", level, f"one of {', '.join(conventions.LEVELS)}")
    version = document.get("x-schema-version")
    if type(version) is not int or version < 1:
        raise fail("x-schema-version", version, "a whole number from 1")
    if not isinstance(document.get("x-since"), str):
        raise fail("x-since", document.get("x-since"), "the release that introduced the event")
    properties = document.get("properties")
    if not isinstance(properties, dict):
        raise fail("properties", properties, "an object of field schemas")
    _check_json_schema(document, path)
    for field_name in document.get("required", ()):
        if field_name not in properties:
            raise fail("required", field_name, "fields that properties declares")
    for field_name, schema in properties.items():
        if field_name in envelope["properties"]:
            raise fail(f"properties/{field_name}", field_name, "a name the envelope does not use")
        if not isinstance(schema, dict) or not schema.get("description"):
            raise fail(f"properties/{field_name}/description", None, "one sentence on what the field holds")
        if "x-dimension" in schema and not _is_dimension(schema["x-dimension"]):
            expected = '{"bound": how many values at most, "why": "what keeps it so"}'
            raise fail(f"properties/{field_name}/x-dimension", schema["x-dimension"], expected)
        if schema.get("x-sensitive", "hashed") not in ("hashed", "dropped"):
            raise fail(f"properties/{field_name}/x-sensitive", schema["x-sensitive"], '"hashed" or "dropped"')
    return EventSchema(
        name=name,
        version=version,
        level=level,
        description=str(document.get("description", "")),
        properties=MappingProxyType(properties),
        required=frozenset(document.get("required", ())),
        metrics=_metrics(document.get("x-metrics", []), properties, fail),
        path=path,
        document=MappingProxyType(document),
    )


def _is_dimension(value: object) -> bool:
    return isinstance(value, dict) and type(value.get("bound")) is int and bool(value.get("why"))


def _metrics(
    entries: object, properties: Mapping[str, Mapping[str, Any]], fail: Callable[[str, object, str], SchemaError]
) -> tuple[Metric, ...]:
    if not isinstance(entries, list):
        raise fail("x-metrics", entries, "a list")
    metrics = []
    for index, entry in enumerate(entries):
        place = f"x-metrics/{index}"
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise fail(place, entry, 'an object with "name", "kind", "unit", "by"')
        if entry.get("kind") not in METRIC_KINDS:
            raise fail(f"{place}/kind", entry.get("kind"), f"one of {', '.join(METRIC_KINDS)}")
        source = entry.get("field")
        if source is None and entry["kind"] != "counter":
            raise fail(f"{place}/field", None, f"the numeric field a {entry['kind']} is computed from")
        if source is not None and not is_numeric(properties.get(source)):
            raise fail(f"{place}/field", source, "a numeric field of this event")
        weight = entry.get("weight")
        if weight is not None and (
            entry["kind"] != "counter" or source is not None or not is_numeric(properties.get(weight))
        ):
            raise fail(f"{place}/weight", weight, "a numeric field of this event, in a counter without a field")
        by = entry.get("by", [])
        if not isinstance(by, list) or not all(isinstance(dimension, str) for dimension in by):
            raise fail(f"{place}/by", by, "a list of field names")
        window = entry.get("window")
        if window is not None and not (isinstance(window, str) and _WINDOW_PATTERN.fullmatch(window)):
            raise fail(f"{place}/window", window, 'a LogQL duration such as "1m"')
        for dimension in by:
            if dimension not in _ENVELOPE_DIMENSIONS and "x-dimension" not in properties.get(dimension, {}):
                raise fail(f"{place}/by", dimension, "a field of this event with x-dimension (bounded)")
        metrics.append(
            Metric(
                entry["name"],
                entry["kind"],
                source,
                entry.get("unit", "1"),
                tuple(by),
                window,
                entry.get("description", ""),
                weight,
            )
        )
    return tuple(metrics)


def is_numeric(schema: Mapping[str, Any] | None) -> bool:
    """Whether a field's schema admits numbers only (null aside), so that LogQL can `unwrap` it."""
    if schema is None:
        return False
    if "enum" in schema:
        return all(isinstance(value, int | float) and not isinstance(value, bool) for value in schema["enum"])
    kinds = schema.get("type")
    kinds = {kinds} if isinstance(kinds, str) else set(kinds or ())
    return bool(kinds & {"integer", "number"}) and kinds <= {"integer", "number", "null"}
