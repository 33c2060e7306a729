"""What a test stores is what its file says, at the times it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from logging_pkg.pipeline.rules_test.model import EventLine, RawLine
from logging_pkg.pipeline.rules_test.sample import plain_event
from tests.pipeline.rules_test.files import REGISTRY, read

S = 1_000_000_000
CHECK = "    logql_expr_test: [{expr: vector(1), eval_time: 0m, exp_samples: []}]\n"


def lines(directory: Path, text: str) -> list[EventLine | RawLine]:
    (test,) = read(directory, f"tests:\n  - name: t\n{CHECK}{text}")
    return list(test.lines)


def times(directory: Path, entry: str, interval: str = "") -> list[float]:
    text = f"    input_lines: [{{labels: {{a: b}}, {entry}}}]\n" + (f"    interval: {interval}\n" if interval else "")
    return [line.at_ns / S for line in lines(directory, text)]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("line: x", [0]),
        ("line: x, at: 30s", [30]),
        ("line: x, at: -20h", [-72_000]),
        ("line: x, count: 3", [0, 0, 0]),
        ("line: x, every: 10s, until: 30s", [0, 10, 20, 30]),
        ("line: x, at: 5s, every: 10s, until: 30s", [5, 15, 25]),
        ("line: x, at: 1m, every: 30s, until: 90s, count: 2", [60, 60, 90, 90]),
        ("line: x, until: 2m", [0, 60, 120]),
        ("lines: [x, y, z]", [0, 60, 120]),
        ("lines: [x, y], at: 1m, every: 1s", [60, 61]),
    ],
)
def test_lines_are_where_at_every_until_and_count_put_them(entry: str, expected: list[float], tmp_path: Path) -> None:
    """A minute apart where nothing else is said."""
    assert times(tmp_path, entry) == expected


def test_the_interval_of_a_test_is_the_default_of_every(tmp_path: Path) -> None:
    """As promtool has it."""
    assert times(tmp_path, "lines: [x, y]", interval="10s") == [0, 10]


def test_values_change_from_event_to_event_and_leave_gaps(tmp_path: Path) -> None:
    """Numbers in promtool's notation, anything else as a list; `_` and null are no event."""
    made = lines(
        tmp_path,
        "    input_events:\n"
        "      - event: http.request_finished\n"
        "        fields: {route: /a/, query_count: 9}\n"
        "        values: {query_count: 1+1x1 _ 5, method: [GET, POST, null, PUT]}\n"
        "        at: 1m\n"
        "        every: 10s\n",
    )
    found = [(line.at_ns / S, line.fields["query_count"], line.fields["method"], line.fields["route"]) for line in made]
    assert found == [(60, 1, "GET", "/a/"), (70, 2, "POST", "/a/"), (90, 5, "PUT", "/a/")]


def test_anchors_and_merged_mappings_spare_repetition(tmp_path: Path) -> None:
    """`<<` takes over an event's fields, or all of an entry; own entries stand over merged ones."""
    made = lines(
        tmp_path,
        "    input_events:\n"
        "      - &first {event: http.request_finished, fields: &fields {route: /a/, query_count: 1}, at: 1m}\n"
        "      - {<<: *first, at: 2m}\n"
        "      - {event: http.request_finished, fields: {<<: *fields, query_count: 2}}\n",
    )
    assert [(line.at_ns / S, line.fields["route"], line.fields["query_count"]) for line in made] == [
        (60, "/a/", 1),
        (120, "/a/", 1),
        (0, "/a/", 2),
    ]


def test_a_date_stays_the_text_it_is(tmp_path: Path) -> None:
    """YAML would make a date of it, which is no value of an event's field."""
    (made,) = lines(
        tmp_path, "    input_events: [{event: google_api.call_finished, fields: {quota_day: 2026-03-01}}]\n"
    )
    assert made.fields["quota_day"] == "2026-03-01"


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_a_plain_event_is_valid_and_adds_nothing_to_a_sum(event: str, tmp_path: Path) -> None:
    """Without any field set; numbers are 0 where the schema allows that."""
    (made,) = lines(tmp_path, f"    input_events: [{{event: {event}}}]\n")
    assert REGISTRY.problems(made.fields) == []
    assert (made.fields["service_name"], made.fields["env"]) == ("web", "test")
    for metric in REGISTRY.events[event].metrics:
        if metric.field is not None:
            schema = REGISTRY.field(event, metric.field)
            assert made.fields.get(metric.field) in {None, max(schema.get("minimum", 0), 0)}


def test_plain_values_keep_to_what_a_schema_asks_for() -> None:
    """Bounds, lengths, patterns, lists and objects."""
    properties = {
        "a": {"type": "integer", "minimum": 3},
        "b": {"type": "number", "exclusiveMinimum": 0},
        "c": {"type": "number", "maximum": -2},
        "d": {"type": "string", "minLength": 5},
        "e": {"type": "string", "pattern": "^[ab]{2}-\\d$"},
        "f": {"type": "array", "items": {"type": "boolean"}, "minItems": 2},
        "g": {"type": "object", "properties": {"x": {"const": 7}, "y": {"enum": ["p"]}}, "required": ["x", "y"]},
        "h": {"type": ["null", "string"]},
        "chosen": {"type": "string", "pattern": "(?=never made)"},
    }
    made = plain_event({"properties": properties, "required": list(properties)}, ["chosen"])
    assert made.pop("e")[2] == "-"
    assert made == {"a": 3, "b": 1, "c": -2, "d": "dxxxx", "f": [False, False], "g": {"x": 7, "y": "p"}, "h": None}
