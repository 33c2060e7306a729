"""The compiled acceptor agrees with jsonschema-rs on every declared event, and knows the valid ones by itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import pytest

from logging_pkg.schemas import load_registry
from logging_pkg.schemas.acceptor import MAX_SHAPES, compile_acceptor
from logging_pkg.schemas.examples import example_lines

REGISTRY = load_registry()
#: What each field is replaced with in turn: wrong types, edges of ranges, things that only look alike.
ODD: list[Any] = [
    None, True, False, 0, 1, -1, 0.0, 1.0, 0.5, -0.5, 100, 599, 600, 10**30, -(10**30), 1e300, math.nan, math.inf, -math.inf,
    "", "GET", "ok", "x" * 64, "x" * 65, "x" * 200, "x" * 201, "x" * 300, "x" * 301, "日" * 200, "😀" * 201, b"GET",
    [], [None], [1], ["a"] * 21, [{}], {}, {"a": 1}, (), ("a",), {"GET"}, object(), [[]],
]  # fmt: skip


class Text(str):
    """A subclass, which is no JSON to the validator."""

    __slots__ = ()


def undecided(_: Any) -> bool:
    """In place of jsonschema-rs: where the compiled code asks, it is not sure."""
    return False


def changed(fields: Any) -> Iterator[Any]:
    """The value and its neighbours: each part replaced, dropped or joined by another."""
    if isinstance(fields, dict):
        yield {**fields, "one_more": 1}
        for name in fields:
            yield {key: value for key, value in fields.items() if key != name}
            for value in [*ODD, Text("GET"), *changed(fields[name])]:
                yield {**fields, name: value}
    elif isinstance(fields, list):
        yield [*fields, *fields]
        for number, entry in enumerate(fields):
            for value in [*ODD, *changed(entry)]:
                yield [*fields[:number], value, *fields[number + 1 :]]


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_it_never_accepts_what_the_schema_refuses(event: str) -> None:
    """Over samples with every part changed in every way: its yes is jsonschema-rs's yes, and its answer the same."""
    schema = REGISTRY.events[event]
    is_valid = jsonschema_rs.Draft202012Validator(dict(schema.document)).is_valid
    sure, whole = compile_acceptor(schema.document, undecided), compile_acceptor(schema.document, is_valid)
    looked_at = 0
    for line in example_lines(REGISTRY, event, awkward=True):
        fields = {name: value for name, value in line.items() if name in schema.properties}
        for candidate in (fields, *changed(fields), *ODD):
            looked_at += 1
            verdict = _verdict(is_valid, candidate)
            assert _verdict(whole, candidate) == verdict
            assert verdict is True or sure(candidate) is False
    assert looked_at > 100


def _verdict(accepts: Any, candidate: Any) -> Any:
    """True, False, or the class of the exception: what is no JSON at all."""
    try:
        return accepts(candidate)
    except (TypeError, ValueError) as error:
        return type(error)


def test_valid_events_need_no_second_opinion() -> None:
    """All but the events whose schemas use patterns are accepted by the compiled code alone."""
    left = set()
    for event, schema in REGISTRY.events.items():
        sure = compile_acceptor(schema.document, undecided)
        if sure is undecided:
            left.add(event)
            continue
        for line in example_lines(REGISTRY, event, awkward=True):
            assert sure({name: value for name, value in line.items() if name in schema.properties}), line
    assert {"http.request_finished", "sync.run_finished", "function.call_finished"} & left == set()
    assert all("pattern" in str(REGISTRY.events[event].document) for event in left), left


@pytest.mark.parametrize(
    "change",
    [
        {"properties": {"a": {}}},
        {"properties": {"a": {"type": "string", "pattern": "a"}}},
        {"properties": {"a": {"anyOf": [{"type": "string"}]}}},
        {"properties": {"a": {"enum": [None]}}},
        {"properties": {"a": {"enum": ["a"], "type": "string"}}},
        {"properties": {"a": {"type": "array"}}},
        {"properties": {"a": {"type": "integer", "minimum": True}}},
        {"additionalProperties": True},
        {"required": ["b"]},
        {"minProperties": 1},
    ],
)
def test_what_it_does_not_understand_is_left_to_jsonschema_rs(change: dict[str, Any]) -> None:
    """A schema of a project may use all of draft 2020-12."""
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert compile_acceptor(schema, undecided) is not undecided
    assert compile_acceptor({**schema, **change}, undecided) is undecided


@pytest.mark.parametrize("keyword", ["examples", "deprecated", "description", "$comment", "title", "x-since"])
def test_annotations_cost_nothing(keyword: str) -> None:
    """What asserts nothing leaves the compiled code as it is, at an event and at a field."""
    schema = {"type": "object", "properties": {"a": {"enum": ["b"], keyword: []}}, "additionalProperties": False}
    sure = compile_acceptor({**schema, keyword: []}, undecided)
    assert [sure(value) for value in ({"a": "b"}, {"a": "c"})] == [True, False]


def test_an_event_without_fields_is_an_empty_object() -> None:
    """And nothing else."""
    sure = compile_acceptor({"type": "object", "additionalProperties": False}, undecided)
    assert [sure(value) for value in ({}, {"a": 1}, [], None)] == [True, False, False, False]


def test_of_fields_that_come_in_any_combination_the_first_are_remembered() -> None:
    """An event of eight optional fields has 256 sets of names: memory is bounded, and the rest is asked for."""
    names = "abcdefgh"
    schema = {
        "type": "object",
        "properties": {name: {"type": "integer"} for name in names},
        "additionalProperties": False,
    }
    asked: list[Any] = []

    def ask(value: Any) -> bool:
        asked.append(value)
        return True

    accepts = compile_acceptor(schema, ask)
    combinations = [dict.fromkeys(part, 1) for count in range(9) for part in itertools.combinations(names, count)]
    for _ in range(2):
        assert all(accepts(fields) for fields in combinations)
    assert asked == 2 * combinations[MAX_SHAPES:]
