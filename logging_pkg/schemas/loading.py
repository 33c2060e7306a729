"""Load the event declarations of directories.

In: directories of JSON Schema files. Out: a Registry. Never: writes a file, fetches a schema from elsewhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jsonschema_rs

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas import conventions
from logging_pkg.schemas.registry import EventSchema, Metric, Registry, is_numeric

METRIC_KINDS = ("counter", "histogram", "gauge")
#: Envelope fields a metric may be grouped by; service_name and env are in every metric anyway.
_ENVELOPE_DIMENSIONS = ("level", "release")
_WINDOW_PATTERN = re.compile(r"[1-9][0-9]*[smhd]")
_ENVELOPE_FILE = "envelope.json"


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
    envelope = _envelope(builtin / _ENVELOPE_FILE)
    all_directories = (builtin, *(Path(directory) for directory in directories))
    events: dict[str, EventSchema] = {}
    for directory in all_directories:
        if directory != builtin and (directory / _ENVELOPE_FILE).exists():
            path = directory / _ENVELOPE_FILE
            raise SchemaError(f"{path}: only the built-in directory may declare the envelope; rename the file")
        for schema in _events_in(directory, envelope):
            if schema.name in events:
                earlier = events[schema.name].path
                raise SchemaError(
                    f'{schema.path}: event "{schema.name}" is already declared in {earlier}; rename one of them'
                )
            events[schema.name] = schema
    return Registry(MappingProxyType(events), MappingProxyType(envelope), all_directories)


def load_directory(directory: Path) -> Registry:
    """Load the schemas of one directory alone, to compare them or look at them; nothing can be emitted with it.

    Args:
        directory: its envelope.json is the envelope; where it has none, the built-in one is.

    Raises:
        SchemaError: as `load_registry`.
    """
    own = directory / _ENVELOPE_FILE
    envelope = _envelope(own if own.exists() else builtin_directory() / _ENVELOPE_FILE)
    events = {schema.name: schema for schema in _events_in(directory, envelope)}
    return Registry(MappingProxyType(events), MappingProxyType(envelope), (directory,))


def _envelope(path: Path) -> dict[str, Any]:
    envelope = _read(path)
    _check_json_schema(envelope, path)
    return envelope


def _events_in(directory: Path, envelope: Mapping[str, Any]) -> Iterator[EventSchema]:
    if not directory.is_dir():
        raise SchemaError(f"{directory}: no such schema directory; check the setting SCHEMA_DIRECTORIES")
    for path in sorted(directory.glob("*.json")):
        if path.name != _ENVELOPE_FILE:
            yield _load_event(path, envelope)


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
        for key in ("window", "interval"):
            duration = entry.get(key)
            if duration is not None and not (isinstance(duration, str) and _WINDOW_PATTERN.fullmatch(duration)):
                raise fail(f"{place}/{key}", duration, 'a LogQL duration such as "1m"')
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
                entry.get("window"),
                entry.get("description", ""),
                weight,
                entry.get("interval"),
            )
        )
    return tuple(metrics)
