"""What counts as narrower and what as wider."""

from __future__ import annotations

import itertools
import json
from typing import Any

import jsonschema_rs
import pytest

from logging_pkg.pipeline.schema_diff.values import same, value_changes

STRING = {"type": "string"}


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ({"type": ["string", "null"]}, STRING, "type-narrowed"),
        (STRING, {"type": ["string", "null"]}, "type-widened"),
        (STRING, {"type": "boolean"}, "type-narrowed"),
        ({"type": "number"}, {"type": "integer"}, "type-narrowed"),
        ({"type": "integer"}, {"type": "number"}, "type-widened"),
        ({"type": "integer"}, {"type": ["integer", "null"]}, "type-widened"),
        ({"type": "integer"}, {"type": ["integer", "string"]}, "type-not-numeric"),
        ({"enum": [0, 1]}, {"type": "boolean"}, "type-not-numeric"),
        ({}, STRING, "type-narrowed"),
        (STRING, {}, "type-widened"),
        ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 1}, "type-narrowed"),
        ({"type": "integer", "minimum": 1}, {"type": "integer"}, "type-widened"),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "exclusiveMinimum": 1}, "type-narrowed"),
        ({"type": "integer", "exclusiveMinimum": 0}, {"type": "integer", "minimum": 0}, "type-widened"),
        ({"type": "integer", "maximum": 9}, {"type": "integer", "maximum": 8}, "type-narrowed"),
        ({"type": "integer", "maximum": 9}, {"type": "integer", "exclusiveMaximum": 9}, "type-narrowed"),
        ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 10}, "type-widened"),
        (STRING, {"type": "string", "maxLength": 10}, "type-narrowed"),
        (STRING, {"type": "string", "minLength": 1}, "type-narrowed"),
        ({"type": "array", "maxItems": 2}, {"type": "array"}, "type-widened"),
        (STRING, {"type": "string", "pattern": "a"}, "type-narrowed"),
        ({"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}, "type-narrowed"),
        ({"type": "string", "pattern": "a"}, STRING, "type-widened"),
        ({"type": "integer", "multipleOf": 4}, {"type": "integer", "multipleOf": 2}, "type-widened"),
        ({"type": "integer", "multipleOf": 2}, {"type": "integer", "multipleOf": 4}, "type-narrowed"),
        ({"enum": ["a"]}, STRING, "type-widened"),
        (STRING, {"enum": ["a"]}, "type-narrowed"),
        ({"enum": ["a", "b"]}, {"enum": ["b"]}, "option-removed"),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, "option-added"),
        ({"enum": ["a", None]}, STRING, "option-removed"),
        ({"const": "a"}, {"const": "b"}, "option-removed"),
        ({"anyOf": [STRING]}, {"anyOf": [STRING, {}]}, "type-narrowed"),
        ({"anyOf": [STRING]}, {}, "type-widened"),
        ({"uniqueItems": False}, {"uniqueItems": True}, "type-narrowed"),
    ],
    ids=str,
)  # fmt: skip
def test_a_change_of_a_value_has_its_kind(old: dict[str, Any], new: dict[str, Any], kind: str) -> None:
    """And a sentence with what was and what is."""
    first, *_ = value_changes(old, new)
    assert first.kind == kind
    assert first.message


@pytest.mark.parametrize("keyword", ["description", "title", "examples", "$comment", "default", "x-anything"])
def test_annotations_are_no_change(keyword: str) -> None:
    """They admit what was admitted."""
    assert not list(value_changes(STRING, {**STRING, keyword: ["other"]}))


SCHEMAS: list[dict[str, Any]] = [
    {}, {"type": "null"}, {"type": "boolean"}, {"type": "integer"}, {"type": "number"}, {"type": "string"},
    {"type": ["string", "null"]}, {"type": ["integer", "null"]}, {"type": "integer", "minimum": 1}, {"type": "number", "exclusiveMinimum": 0},
    {"type": "integer", "maximum": 5}, {"type": "string", "maxLength": 2}, {"type": "string", "minLength": 2}, {"enum": ["a", "bb"]},
    {"enum": [0, 1]}, {"enum": [0, 0.5, 1, None]}, {"const": "a"}, {"const": True}, {"type": "integer", "multipleOf": 2},
    {"type": "string", "pattern": "^a"}, {"type": "array"}, {"type": "array", "maxItems": 1},
]  # fmt: skip
VALUES: list[Any] = [None, True, False, 0, 1, 2, 6, -1, 0.5, 1.0, "", "a", "bb", "abc", [], [1], [1, 2], {}]


@pytest.mark.parametrize(("old", "new"), list(itertools.product(SCHEMAS, SCHEMAS)), ids=json.dumps)
def test_what_refuses_a_value_that_was_valid_is_never_called_compatible(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    """Held against jsonschema-rs over pairs of schemas and values of every type; the same schema has no change."""
    was, is_now = jsonschema_rs.Draft202012Validator(old).is_valid, jsonschema_rs.Draft202012Validator(new).is_valid
    kinds = {change.kind for change in value_changes(old, new)}
    lost = [value for value in VALUES if was(value) and not is_now(value)]
    if lost:
        assert kinds & {"type-narrowed", "option-removed", "type-not-numeric"}, lost
    assert old != new or not kinds


def test_values_are_compared_as_json_compares_them() -> None:
    """1 is 1.0 and not true."""
    assert same(1, 1.0)
    assert not same(1, True)
    assert same({"a": 1, "b": 2}, {"b": 2, "a": 1})
