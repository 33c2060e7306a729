"""What a line looks like: envelope, order, levels, modes."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from logging_pkg.context import active, start_span
from logging_pkg.exceptions import InvalidEventError, UnknownEventError
from logging_pkg.schemas.conventions import parse_timestamp
from logging_pkg.schemas.examples import example_lines
from tests.writer.support import MESSAGE, REGISTRY, assert_whole, memory_writer


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_every_declared_event_comes_out_as_it_went_in(event: str) -> None:
    """The own fields of each event survive unchanged, and the line is valid as a whole."""
    writer, sink = memory_writer(strict=True)
    samples = [
        {name: value for name, value in line.items() if name in REGISTRY.events[event].properties}
        for line in example_lines(REGISTRY, event, awkward=True)
    ]
    for fields in samples:
        writer.emit(event, fields)
    assert len(sink.events) == len(samples)
    for fields, line in zip(samples, sink.events, strict=True):
        assert {name: line[name] for name in fields} == fields
    assert_whole(sink.events)


def test_the_envelope_is_complete() -> None:
    """Each field of the envelope has the value the settings and the unit of work give it."""
    writer, sink = memory_writer(service_name="shop", env="staging", release="1.2.3+4")
    with active(start_span("request")) as request, active(start_span("sync")) as sync:
        writer.emit("log.message_recorded", MESSAGE)
    (line,) = sink.events
    assert sink.lines[0].endswith(b"}\n")
    assert sink.lines[0].count(b"\n") == 1
    assert {name: line[name] for name in line if name not in MESSAGE and name != "timestamp"} == {
        "event": "log.message_recorded",
        "schema_version": 1,
        "level": "info",
        "service_name": "shop",
        "env": "staging",
        "release": "1.2.3+4",
        "instance_id": writer.instance_id,
        "seq": 1,
        "event_id": f"{writer.instance_id}-1",
        "correlation_id": request.correlation_id,
        "span_id": sync.span_id,
        "parent_span_id": request.span_id,
        "request_id": request.span_id,
        "sync_id": sync.span_id,
    }


def test_the_timestamp_is_the_clock_in_utc(monkeypatch: pytest.MonkeyPatch) -> None:
    """Microseconds, UTC, and the same instant that parse_timestamp reads back."""
    monkeypatch.setattr("logging_pkg.writer.writer._time_ns", lambda: 1_772_409_599_000_001_999)
    writer, sink = memory_writer()
    writer.emit("log.message_recorded", MESSAGE)
    assert sink.events[0]["timestamp"] == "2026-03-01T23:59:59.000001Z"
    assert parse_timestamp(sink.events[0]["timestamp"]) == 1_772_409_599_000_001_000


def test_time_never_goes_back_when_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock set back holds the time still until it has caught up."""
    clock = iter([5_000_000_000, 9_000_000_000, 2_000_000_000, 8_999_999_999, 9_000_001_000])
    monkeypatch.setattr("logging_pkg.writer.writer._time_ns", lambda: next(clock))
    writer, sink = memory_writer()
    for _ in range(5):
        writer.emit("log.message_recorded", MESSAGE)
    assert [event["timestamp"][17:] for event in sink.events] == [
        "05.000000Z",
        "09.000000Z",
        "09.000000Z",
        "09.000000Z",
        "09.000001Z",
    ]


def test_seeding_random_does_not_repeat_ids() -> None:
    """IDs do not come from the generator that a test seeds."""
    random.seed(1)
    first = start_span(correlation_id="a" * 32).span_id, memory_writer()[0].instance_id
    random.seed(1)
    assert (start_span(correlation_id="a" * 32).span_id, memory_writer()[0].instance_id) != first


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_a_level_given_wins_over_the_schemas(level: str) -> None:
    """Each level is accepted, and says so in the line."""
    writer, sink = memory_writer()
    writer.emit("log.message_recorded", MESSAGE, level)
    assert sink.events[0]["level"] == level


def test_the_schemas_level_is_the_default() -> None:
    """`x-level` of the schema is what an event has when nobody says otherwise."""
    writer, sink = memory_writer()
    fields = {"query_count": 11, "threshold": 10, "query_time_ms": 1.5, "route": None}
    writer.emit("db.high_query_count_detected", fields)
    assert sink.events[0]["level"] == "warning"


def test_an_unknown_level_is_refused() -> None:
    """A level that does not exist is an error of the caller's, named as such."""
    writer, _ = memory_writer(strict=True)
    with pytest.raises(InvalidEventError, match='level "loud" is not one of debug, info'):
        writer.emit("log.message_recorded", MESSAGE, "loud")


def test_strict_mode_raises_for_an_unknown_event_with_the_nearest_name() -> None:
    """In tests and development a misspelt event does not pass."""
    writer, sink = memory_writer(strict=True)
    with pytest.raises(UnknownEventError, match=re.escape('(did you mean "log.message_recorded"?)')):
        writer.emit("log.mesage_recorded", MESSAGE)
    assert sink.lines == []
    assert (writer.last_seq, writer.rejected) == (0, 1)


def test_strict_mode_raises_for_an_unknown_field_with_the_nearest_name() -> None:
    """Nor does a misspelt field; the error lists every problem."""
    writer, sink = memory_writer(strict=True)
    with pytest.raises(InvalidEventError) as caught:
        writer.emit("log.message_recorded", {**MESSAGE, "mesage": "x", "function": 5})
    assert caught.value.event == "log.message_recorded"
    assert len(caught.value.problems) == 2
    assert 'unknown field "mesage" (did you mean "message"?)' in str(caught.value)
    assert sink.lines == []


@pytest.mark.parametrize(
    ("event", "fields", "shown"),
    [
        ("log.message_recorded", {**MESSAGE, "function": 5, "secret_field": "hunter2"}, "log.message_recorded"),
        ("shop.order_placed", {"customer": "hunter2"}, "shop.order_placed"),
        ("user hunter2 signed in", {}, "invalid"),
        (["hunter2"], {}, "invalid"),
    ],
)
def test_production_writes_what_was_wrong_and_never_the_values(event: Any, fields: dict[str, Any], shown: str) -> None:
    """A rejected event becomes one `logging.event_rejected`, in the unit it belongs to, and the caller goes on."""
    writer, sink = memory_writer()
    span = start_span("request")
    writer.emit(event, fields, None, span)
    (line,) = sink.events
    assert (line["event"], line["level"], line["rejected_event"]) == ("logging.event_rejected", "error", shown)
    assert line["problem_count"] == len(line["problems"]) >= 1
    assert line["request_id"] == span.span_id
    assert b"hunter2" not in sink.lines[0]
    assert writer.rejected == 1
    assert_whole(sink.events)


def test_problems_past_the_tenth_are_counted() -> None:
    """The list is bounded, the count is not."""
    writer, sink = memory_writer()
    writer.emit("log.message_recorded", {**MESSAGE, **{f"field_{number}": 1 for number in range(25)}})
    assert len(sink.events[0]["problems"]) == 10
    assert sink.events[0]["problem_count"] == 25


def test_a_callers_envelope_fields_are_refused() -> None:
    """Nobody sets seq or timestamp but the writer."""
    writer, _ = memory_writer(strict=True)
    for name in REGISTRY.envelope["properties"]:
        with pytest.raises(InvalidEventError, match=f'unknown field "{name}"'):
            writer.emit("log.message_recorded", {**MESSAGE, name: "x"})


def test_nothing_is_written_when_switched_off() -> None:
    """METRICS_ENABLED off: no line, no check, no count."""
    writer, sink = memory_writer(enabled=False, strict=True)
    writer.emit("no such event", {"x": object()})
    assert sink.lines == []
    assert writer.rejected == 0
