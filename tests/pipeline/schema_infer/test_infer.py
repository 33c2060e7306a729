"""Drafts load, and accept every line they came from."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from logging_pkg.exceptions import SchemaError
from logging_pkg.pipeline.json_lines import JsonLine
from logging_pkg.pipeline.schema_infer import Inference, infer
from logging_pkg.pipeline.schema_infer.infer import MAX_EVENTS, own_fields
from logging_pkg.schemas import Registry, load_directory, load_registry
from logging_pkg.schemas.examples import example_fields, example_lines

REGISTRY = load_registry()
ENVELOPE = REGISTRY.envelope


def lines(values: Iterable[Any]) -> Iterator[JsonLine]:
    for number, value in enumerate(values, 1):
        yield JsonLine("test", number, value)


def drafted(values: Iterable[dict[str, Any]], event_field: str | None = "event") -> Inference:
    return infer(lines(values), ENVELOPE, event_field)


def loaded(found: Inference, directory: Path) -> Registry:
    for draft in found.drafts:
        (directory / f"{draft.event}.json").write_text(json.dumps(draft.document))
    return load_directory(directory)


def assert_accepted(values: list[dict[str, Any]], found: Inference, directory: Path) -> None:
    registry = loaded(found, directory)
    names = {draft.logged_as: draft.event for draft in found.drafts}
    for value in values:
        schema = registry.events[names[value[found.event_field]]]
        fields = own_fields(value, found.event_field, ENVELOPE)
        assert schema.accepts(fields), [error.message for error in schema.validator.iter_errors(fields)]


@pytest.mark.parametrize("count", [1, 7, 60])
def test_drafts_of_the_projects_own_lines_accept_them(tmp_path: Path, count: int) -> None:
    """Every declared event, awkward texts included: names are kept, and the envelope's fields are left to it."""
    values = [line for event in REGISTRY.events for line in example_lines(REGISTRY, event, count, awkward=count == 7)]
    found = drafted(values, None)
    assert found.event_field == "event"
    assert [draft.event for draft in found.drafts] == sorted(REGISTRY.events)
    assert_accepted(values, found, tmp_path)
    for draft in found.drafts:
        assert set(draft.document["properties"]) <= set(REGISTRY.events[draft.event].properties)
        assert draft.document["x-level"] in {"debug", "info", "warning", "error", "critical"}


def test_drafts_can_be_lived_with(tmp_path: Path) -> None:
    """Whole lines are validated, examples made, as of any schema."""
    values = [line for event in REGISTRY.events for line in example_lines(REGISTRY, event, 60)]
    registry = loaded(drafted(values), tmp_path)
    for value in values:
        assert registry.problems(value) == []
    for event, schema in registry.events.items():
        for line in example_lines(registry, event, 6):
            assert registry.problems(line) == []
        assert schema.accepts(example_fields(schema, 2))


def some_value(chosen: random.Random, depth: int = 0) -> Any:
    """JSON of any shape."""
    kinds = ["null", "bool", "int", "float", "text", "date"] + (["list", "object", "open"] if depth < 4 else [])
    match chosen.choice(kinds):
        case "null":
            return None
        case "bool":
            return chosen.random() < 0.5
        case "int":
            return chosen.choice([0, 1, -5, 2**63, chosen.randrange(10**6)])
        case "float":
            return chosen.choice([0.0, 1.0, -0.5, 1e300, chosen.random()])
        case "text":
            return chosen.choice(
                ["", "a", "x" * 300, "é日😀\n", "a@b.example", "deadbeefdeadbeef\n", str(chosen.random())]
            )
        case "date":
            return chosen.choice(
                ["2026-01-01", "2026-01-01T00:00:00Z", "2026-01-01 00:00:00,5", f"{chosen.getrandbits(128):032x}"]
            )
        case "list":
            return [some_value(chosen, depth + 1) for _ in range(chosen.randrange(4))]
        case "open":
            return {f"key {chosen.randrange(10**9)}": 1}
        case _:
            return {
                name: some_value(chosen, depth + 1)
                for name in chosen.sample(["a", "b.c", "", "Ü"], chosen.randrange(4))
            }


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_lines_hold_their_drafts_accept_it(tmp_path: Path, seed: int) -> None:
    """Types that change, nulls, missing fields, names of all kinds, nested and unbounded objects, 1 to 400 lines."""
    chosen = random.Random(seed)
    names = ["app.thing_done", "Thing Done", "thing-done", "ThingDone", "вещь", "42", "a" * 200, "app.thing_done2"]
    values = []
    for _ in range(chosen.choice([1, 5, 30, 400])):
        fields = {
            name: some_value(chosen)
            for name in chosen.sample(["a", "b", "userId", "level", "seq", "x y", "$ref", ""], 5)
        }
        values.append({**fields, "msg": chosen.choice(names)})
    values = [orjson.loads(orjson.dumps(value)) for value in values]
    assert_accepted(values, drafted(values, "msg"), tmp_path)


def test_a_name_of_another_grammar_is_changed_and_said_to_be(tmp_path: Path) -> None:
    """An event's file has its name; two that would be one are told apart, and who has a good name keeps it."""
    found = drafted([{"msg": name} for name in ("Order placed", "order.placed", "OrderPlaced")], "msg")
    assert {draft.logged_as: draft.event for draft in found.drafts} == {
        "order.placed": "order.placed",
        "Order placed": "order.placed_2",
        "OrderPlaced": "order.placed_3",
    }
    for draft in found.drafts:
        assert ("Logged as" in draft.document["description"]) == (draft.event != draft.logged_as)


def test_more_fields_than_can_be_told_apart_are_all_accepted(tmp_path: Path) -> None:
    """The draft is open, and says that names look like values."""
    values = [{"event": "a.done", f"user_{number}": number} for number in range(1000)]
    found = drafted(values)
    assert_accepted(values, found, tmp_path)
    assert "are their names values?" in found.drafts[0].document["$comment"]
    registry = loaded(found, tmp_path)
    line = next(example_lines(registry, "a.done", 1, first=0)) | {"user_5000": 1}
    assert registry.problems(line) == []


def test_memory_is_bounded() -> None:
    """Lines without end, in which everything differs: names, values, keys of objects, lists."""

    def endless() -> Iterator[dict[str, Any]]:
        for number in range(30_000):
            text = f"{number:0200}"
            yield {
                "event": f"a.done{number % 50}",
                f"k{number}": text,
                "t": text,
                "o": {text: {text: 1}},
                "l": [{text: text}] * 3,
            }

    tracemalloc.start()
    try:
        found = drafted(endless())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.line_count == 30_000
    assert peak < 60_000_000


def test_what_is_no_event_is_counted() -> None:
    """Lines that are no objects, and those without a name."""
    values = [{"event": "a.done"}, None, {"event": ""}, {"event": 5}, {"other": 1}]
    found = infer(lines(values), ENVELOPE, "event")
    assert (found.line_count, found.unreadable, found.nameless) == (1, 1, 3)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ([{"event": "a.done", "msg": "b"}], "event"),
        ([{"msg": "user left", "level": "info"}] * 3, "msg"),
        ([{"msg": f"user {number} left", "type": "user_left"} for number in range(50)], "type"),
        ([{"event": {"kind": "x"}, "name": "a"}], "name"),
        ([{"msg": "hello a@b.example", "name": "greeted"}] * 50, "name"),
        ([{"event": "a", "type": "t"}] + [{"type": "t"}] * 9, "type"),
    ],
)
def test_the_field_that_names_the_event_is_guessed(values: list[dict[str, Any]], field: str) -> None:
    """The first of event, msg, message, type, name that nearly all lines have, with few texts that name nobody."""
    assert drafted(values, None).event_field == field


def test_a_field_within_objects_may_name_the_event() -> None:
    """With dots, as in ECS; a field whose own name has dots comes first."""
    assert drafted([{"event": {"action": "a.done"}}], "event.action").drafts[0].event == "a.done"
    assert (
        drafted([{"event.action": "b.done", "event": {"action": "a.done"}}], "event.action").drafts[0].event == "b.done"
    )


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ([{"msg": f"user {n} left"} for n in range(50)], None, "msg has 50 different texts in 50 of 50 lines; give it with --event-field"),
        ([{"a": 1}], None, "none of event, msg, message, type, name is there; give it with --event-field"),
        ([None], None, "no line is a JSON object"),
        ([], None, "no line is a JSON object"),
        ([{"a": 1}], "kind", 'no line has a text in "kind"'),
        ([{"msg": f"m{n}"} for n in range(MAX_EVENTS + 1)], "msg", f'test:{MAX_EVENTS + 1}: more than {MAX_EVENTS} different texts in "msg"'),
    ],
)  # fmt: skip
def test_where_no_event_can_be_told_the_error_says_what_to_give(
    values: list[Any], field: str | None, said: str
) -> None:
    """And what was found."""
    with pytest.raises(SchemaError) as caught:
        infer(lines(values), ENVELOPE, field)
    assert said in str(caught.value)
