"""The assertions: they hold only on what they say, and their messages show the nearest miss."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson
import pytest

from logging_pkg.schemas import load_registry
from logging_pkg.schemas.examples import example_lines
from logging_pkg.testing import assert_event, assert_no_event, assert_valid_stream

EVENTS: list[dict[str, Any]] = [
    {"event": "a.b", "x": 1, "y": "one"},
    {"event": "a.b", "x": 2, "y": "two"},
    {"event": "c.d", "x": 1},
]


def test_assert_event_returns_the_first_match() -> None:
    """By name and values; a callable is asked."""
    assert assert_event(EVENTS, "a.b") is EVENTS[0]
    assert assert_event(EVENTS, "a.b", x=2, y="two") is EVENTS[1]
    assert assert_event(EVENTS, "a.b", x=lambda value: value > 1) is EVENTS[1]
    assert assert_event(iter(EVENTS), "a.b", count=2) is EVENTS[0]


@pytest.mark.parametrize(
    ("event", "fields", "message"),
    [
        ("a.b", {"x": 3, "y": "two"}, "expected a.b(x=3, y='two'), found 0\nthe nearest has x=2, expected 3"),
        ("a.b", {"z": 1}, "the nearest has z is missing"),
        ("a.b", {"x": lambda value: value > 5}, "x=1 is not accepted"),
        ("a.b", {"count": 1}, "expected 1 × a.b(), found 2\nthe nearest has all of these values"),
        ("a.b", {"count": 3}, "expected 3 × a.b(), found 2"),
        ("e.f", {}, "expected e.f(), found 0\ncaptured: a.b, c.d"),
    ],
)
def test_a_failed_assert_event_shows_the_nearest(event: str, fields: dict[str, Any], message: str) -> None:
    """What was expected, how many there were, and what differs."""
    with pytest.raises(AssertionError, match=re.escape(message)):
        assert_event(EVENTS, event, **fields)


def test_nothing_captured_is_said() -> None:
    """An empty capture is the commonest cause."""
    with pytest.raises(AssertionError, match="captured: nothing"):
        assert_event([], "a.b")


def test_assert_no_event() -> None:
    """Fails on a match, shows it, and accepts other values."""
    assert_no_event(EVENTS, "a.b", x=3)
    assert_no_event(EVENTS, "e.f")
    with pytest.raises(AssertionError, match=r"expected no a\.b, found 1; the first: .*'y': 'two'"):
        assert_no_event(EVENTS, "a.b", x=2)


@pytest.fixture
def good() -> bytes:
    registry = load_registry()
    return b"".join(
        orjson.dumps(line) + b"\n" for event in registry.events for line in example_lines(registry, event, 1)
    )


def test_a_valid_stream_returns_its_events(tmp_path: Path, good: bytes) -> None:
    """One per line, as dictionaries; the path may be a text."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(good)
    events = assert_valid_stream(str(path))
    assert [event["event"] for event in events] == list(load_registry().events)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there is no event in it"),
        (b"\n", ":1: not JSON"),
        (b"{oops\n", ":1: not JSON"),
        (b"[1]\n", ":1: expected a JSON object, found list"),
        (b"\xff\n", ":1: not JSON"),
        (b'{"event":"no.such_event"}\n', ':1: unknown event "no.such_event"'),
        (b'{"event":"process.sampled"}\n', ':1: process.sampled: missing field "interval_s"'),
        (b"{}\n" * 30, "… and 10 more"),
    ],
)
def test_a_bad_stream_names_file_line_and_problem(tmp_path: Path, content: bytes, message: str) -> None:
    """An empty one proves nothing and is bad too."""
    path = tmp_path / "events.ndjson"
    path.write_bytes(content)
    with pytest.raises(AssertionError) as caught:
        assert_valid_stream(path)
    assert str(caught.value).startswith(str(path))
    assert message in str(caught.value)


def test_a_torn_last_line_is_told(tmp_path: Path, good: bytes) -> None:
    """Whether what is left of it can be parsed or not."""
    path = tmp_path / "events.ndjson"
    count = good.count(b"\n")
    for cut in (1, 20):
        path.write_bytes(good[:-cut])
        with pytest.raises(AssertionError, match=f":{count}: the last line is torn"):
            assert_valid_stream(path)


def test_one_bad_line_among_good_ones_is_found(tmp_path: Path, good: bytes) -> None:
    """By its number; all others count as they are."""
    lines = good.splitlines(keepends=True)
    lines[4] = lines[4].replace(b'"event":', b'"evnt":')
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(lines))
    with pytest.raises(AssertionError) as caught:
        assert_valid_stream(path)
    assert {line.rsplit(":", 1)[0].split(": ")[0] for line in str(caught.value).splitlines()} == {f"{path}:5"}


def test_a_project_s_schemas_are_used(tmp_path: Path) -> None:
    """With its directory a line is valid, without it unknown."""
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    (schemas / "shop.order_placed.json").write_text(
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shop.order_placed", "type": "object",'
        '"x-since": "1", "x-schema-version": 1, "properties": {}, "additionalProperties": false}'
    )
    registry = load_registry([schemas])
    path = tmp_path / "events.ndjson"
    path.write_bytes(orjson.dumps(next(example_lines(registry, "shop.order_placed"))) + b"\n")
    assert len(assert_valid_stream(path, [schemas])) == 1
    with pytest.raises(AssertionError, match=r'unknown event "shop\.order_placed"'):
        assert_valid_stream(path)
