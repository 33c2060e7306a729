"""Examples made from schemas are valid, the same at every run, and vary what a reader has to stand."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.exceptions import SchemaError
from logging_pkg.schemas import EventSchema, Registry, load_registry
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.schemas.examples import AWKWARD_TEXT, START, example_fields, example_lines

REGISTRY = load_registry()


def schema_of(tmp_path: Path, properties: dict[str, Any], **more: Any) -> EventSchema:
    document = {
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shop.order_placed", "type": "object",
        "x-since": "1.0", "x-schema-version": 1, "additionalProperties": False, "required": list(properties),
        "properties": {name: {"description": "d", **schema} for name, schema in properties.items()}, **more,
    }  # fmt: skip
    (tmp_path / "shop.order_placed.json").write_text(json.dumps(document))
    return load_registry([tmp_path]).events["shop.order_placed"]


@pytest.mark.parametrize("awkward", [False, True])
@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_examples_of_every_declared_event_are_valid_lines(event: str, awkward: bool) -> None:
    """Whichever number, seed and kind of text."""
    for seed in range(3):
        for line in example_lines(REGISTRY, event, 12, seed=seed, awkward=awkward):
            assert REGISTRY.problems(line) == []


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_the_first_has_what_is_required_and_the_others_have_everything(event: str) -> None:
    """So that a reader meets both."""
    schema = REGISTRY.events[event]
    first, second, *_ = example_lines(REGISTRY, event)
    assert set(first) - set(REGISTRY.envelope["properties"]) == set(schema.required)
    assert set(second) - set(REGISTRY.envelope["properties"]) == set(schema.properties)
    assert first["level"] == second["level"] == schema.level


def test_the_same_arguments_give_the_same_lines_and_another_seed_others() -> None:
    """Deterministic, without a clock."""
    made = [list(example_lines(REGISTRY, "sync.run_finished", 5, seed=seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_one_process_wrote_the_lines() -> None:
    """One instance, seq from 1 without a hole, a second between two, and a correlation ID that tells the time."""
    lines = list(example_lines(REGISTRY, "process.sampled", 3, start=datetime(2026, 5, 1, tzinfo=UTC)))
    assert {line["instance_id"] for line in lines} == {lines[0]["instance_id"]}
    assert [line["seq"] for line in lines] == [1, 2, 3]
    assert [line["timestamp"][:19] for line in lines] == [f"2026-05-01T00:00:0{second}" for second in range(3)]
    assert int(lines[0]["correlation_id"][:12], 16) == parse_timestamp(lines[0]["timestamp"]) // 1_000_000
    assert START.tzinfo is UTC


def test_nulls_bounds_and_enums_vary(tmp_path: Path) -> None:
    """Within eight examples each kind of a value comes, and so do its bounds and each of a few options."""
    schema = schema_of(
        tmp_path,
        {
            "count": {"type": ["integer", "null"], "minimum": 3, "maximum": 9},
            "share": {"type": "number", "minimum": 0, "maximum": 1},
            "kind": {"enum": ["a", "b", "c"]},
            "is_new": {"type": "boolean"},
            "name": {"type": "string", "minLength": 30, "maxLength": 40},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 3},
            "above": {"type": "integer", "exclusiveMinimum": 5, "exclusiveMaximum": 8},
            "even": {"type": "integer", "minimum": 0, "multipleOf": 2},
        },
    )
    made = [example_fields(schema, number) for number in range(8)]
    assert {type(fields["count"]) for fields in made} == {int, type(None)}
    assert {0.0, 1.0} <= {fields["share"] for fields in made}
    assert {fields["kind"] for fields in made} == {"a", "b", "c"}
    assert {fields["is_new"] for fields in made} == {True, False}
    assert {len(fields["tags"]) for fields in made} == {1, 2, 3}
    assert {fields["above"] for fields in made} <= {6, 7}


def test_an_example_the_schema_declares_is_the_one_shown(tmp_path: Path) -> None:
    """Of a field or of the whole event; numbers above 1, seeds and awkward texts are made all the same."""
    name = {"type": "string", "examples": ["/accounts/{id}/"]}
    assert example_fields(schema_of(tmp_path, {"route": name})) == {"route": "/accounts/{id}/"}
    whole = schema_of(tmp_path, {"route": name}, examples=[{"route": "/"}])
    assert example_fields(whole) == {"route": "/"}
    assert example_fields(whole, 4) != {"route": "/"}
    assert example_fields(whole, seed=1) != {"route": "/"}
    assert example_fields(whole, awkward=True) == {"route": AWKWARD_TEXT}


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_declared_examples_are_valid(event: str) -> None:
    """All of them, not the first alone."""
    schema = REGISTRY.events[event]
    for fields in schema.document.get("examples", []):
        assert schema.validator.is_valid(fields), [error.message for error in schema.validator.iter_errors(fields)]


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "string", "pattern": "^(?=a)"}, "pattern '^(?=a)'"),
        ({"type": "string", "pattern": "^a{9}$", "maxLength": 5}, "at properties/code: the example made for it"),
        ({"allOf": [{"type": "integer"}]}, "at properties/code: the example made for it is not valid"),
    ],
)
def test_what_no_value_can_be_made_for_is_an_error_that_says_so(
    tmp_path: Path, field: dict[str, Any], said: str
) -> None:
    """Never an invalid example."""
    with pytest.raises(SchemaError) as caught:
        example_fields(schema_of(tmp_path, {"code": field}))
    assert str(caught.value).startswith(str(tmp_path))
    assert said in str(caught.value)
    assert '"examples"' in str(caught.value)


def test_an_undeclared_event_is_a_key_error() -> None:
    """The caller has asked the registry first."""
    registry: Registry = REGISTRY
    with pytest.raises(KeyError):
        next(example_lines(registry, "nothing.happened"))
