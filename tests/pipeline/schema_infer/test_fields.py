"""What is drafted for the values of one field."""

from __future__ import annotations

from typing import Any

import pytest

from logging_pkg.pipeline.schema_infer.fields import property_schema, round_up
from logging_pkg.pipeline.schema_infer.profile import MAX_VALUES, Profile, Room
from logging_pkg.pipeline.schema_infer.texts import FORMATS

UUID = "0192f0c1-9033-7d33-ae2b-eefa1f58c469"


def profile(values: list[Any]) -> Profile:
    made = Profile(Room())
    for value in values:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("values", "schema"),
    [
        ([1, 2], {"type": "integer", "minimum": 0}),
        ([1, -2], {"type": "integer"}),
        ([1, 2.5], {"type": "number", "minimum": 0}),
        ([1, None], {"type": ["integer", "null"], "minimum": 0}),
        ([None], {"type": "null"}),
        ([True, False], {"type": "boolean"}),
        ([0, 1], {"enum": [0, 1]}),
        ([0, 1, None], {"enum": [0, 1, None]}),
        ([0, 0], {"type": "integer", "minimum": 0}),
        ([0, 1, "a"], {"type": ["integer", "string"], "minimum": 0, "maxLength": 50}),
        (["a", "b"] * 10, {"enum": ["a", "b"]}),
        (["a", "b", None] * 10, {"enum": ["a", "b", None]}),
        (["a", "b"] * 9, {"type": "string", "maxLength": 50}),
        (["a"] * 50, {"type": "string", "maxLength": 50}),
        ([f"a{n}" for n in range(11)] * 50, {"type": "string", "maxLength": 50}),
        (["x" * 41, "b"] * 10, {"type": "string", "maxLength": 100}),
        (["a@b.example", "c@d.example"] * 10, {"type": "string", "maxLength": 50}),
        ([UUID], {"type": "string", "pattern": FORMATS["UUID"]}),
        ([UUID, None], {"type": ["string", "null"], "pattern": FORMATS["UUID"]}),
        ([UUID, "x"], {"type": "string", "maxLength": 100}),
        (["2026-01-01T00:00:00.5+01:00", "2026-01-01 00:00:00Z"], {"type": "string", "pattern": FORMATS["timestamp"]}),
        (["2026-01-01"], {"type": "string", "pattern": FORMATS["date"]}),
        (["0192f0c190337d33"], {"type": "string", "pattern": FORMATS["hex of 16"]}),
        (["0192f0c190337d33\n"], {"type": "string", "maxLength": 50}),
        ([[], []], {"type": "array", "maxItems": 20}),
        ([[1], [2, 3]], {"type": "array", "maxItems": 20, "items": {"type": "integer", "minimum": 0}}),
        (
            [{"a": 1}, {"a": 2, "b": None}],
            {
                "type": "object",
                "properties": {"a": {"type": "integer", "minimum": 0}, "b": {"type": "null"}},
                "required": ["a"],
                "additionalProperties": False,
            },
        ),
    ],
)  # fmt: skip
def test_types_bounds_options_and_formats(values: list[Any], schema: dict[str, Any]) -> None:
    """No option by chance, of a sensitive text or of an ID; no lower bound but 0; room above what was seen."""
    assert property_schema(profile(values)) == schema


def test_values_are_forgotten_when_they_are_many() -> None:
    """Or long."""
    assert profile([f"v{n}" for n in range(MAX_VALUES)]).values is not None
    assert profile([f"v{n}" for n in range(MAX_VALUES + 1)]).values is None
    assert profile(["x" * 101]).values is None


@pytest.mark.parametrize(
    ("number", "rounded"), [(0, 1), (1, 2), (2, 5), (10, 20), (16, 50), (26, 100), (300, 1000), (4096, 10_000)]
)
def test_bounds_are_round_and_twice_what_was_seen(number: int, rounded: int) -> None:
    """1, 2, 5, 10, 20, 50 …"""
    assert round_up(number) == rounded
