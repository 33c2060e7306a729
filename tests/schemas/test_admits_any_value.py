"""Where NaN has to be looked for: only in what no type, enum or const constrains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.schemas import load_registry
from logging_pkg.schemas.validation import admits_any_value

OPEN: list[dict[str, Any]] = [
    {},
    {"type": "array"},
    {"type": ["array", "null"], "items": {}},
    {"type": "array", "items": {"type": "object"}},
    {"type": "array", "items": {"type": "number"}, "prefixItems": [{}]},
    {"type": "object", "additionalProperties": False, "properties": {"a": {}}},
    {"type": "object", "additionalProperties": False, "patternProperties": {"a": {}}},
    {"anyOf": [{"type": "number"}, {}]},
]
CLOSED: list[dict[str, Any]] = [
    {"type": ["number", "null"], "minimum": 0},
    {"enum": [0, 0.5, 1, None]},
    {"const": None},
    {"type": "array", "items": {"type": ["number", "null"]}},
    {
        "type": ["object", "null"],
        "additionalProperties": False,
        "properties": {"a": {"type": "array", "items": {"type": "string"}}},
    },
]


@pytest.mark.parametrize("schema", OPEN, ids=json.dumps)
def test_a_place_without_a_type_admits_anything(schema: dict[str, Any]) -> None:
    """However deep it lies."""
    assert admits_any_value(schema)


@pytest.mark.parametrize("schema", CLOSED, ids=json.dumps)
def test_what_is_typed_throughout_does_not(schema: dict[str, Any]) -> None:
    """Null included: the validator tells NaN from null."""
    assert not admits_any_value(schema)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("schema", [*OPEN, *CLOSED], ids=json.dumps)
def test_no_schema_lets_such_a_number_through(tmp_path: Path, schema: dict[str, Any], number: float) -> None:
    """Bare, in a list, or in an object: an event with it is refused whatever its schema says."""
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "test.value_recorded",
        "type": "object",
        "x-since": "0.1.0",
        "x-schema-version": 1,
        "properties": {"value": {**schema, "description": "Anything."}},
        "additionalProperties": False,
    }
    (tmp_path / "test.value_recorded.json").write_text(json.dumps(document))
    accepts = load_registry([tmp_path]).events["test.value_recorded"].accepts
    for value in (number, [number], [None, number], {"a": number}, {"a": [number]}):
        assert not accepts({"value": value})


def test_no_declared_event_pays_for_the_search() -> None:
    """The events of this package are typed throughout."""
    assert not [name for name, schema in load_registry().events.items() if admits_any_value(schema.document)]
