"""Values that JSON, the schema or a line cannot hold: rejected or shortened, counted, and nothing else is harmed."""

from __future__ import annotations

import dataclasses
import enum
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from logging_pkg.exceptions import InvalidEventError
from logging_pkg.schemas.conventions import MAX_LINE_BYTES, MAX_STDOUT_LINE_BYTES
from tests.writer.support import MESSAGE, MemorySink, assert_whole, memory_writer

RECURSIVE: dict[str, Any] = {}
RECURSIVE["self"] = RECURSIVE
DEEP: list[Any] = []
for _ in range(100_000):
    DEEP = [DEEP]


class Text(str):
    __slots__ = ()


class Unprintable:
    def __str__(self) -> str:
        raise ValueError("hunter2")

    __repr__ = __str__


class Kind(enum.Enum):
    WEB = "web"


@dataclasses.dataclass
class Point:
    x: float


def emit_between(fields: dict[str, Any], **settings: Any) -> MemorySink:
    """Emit a good event, one with these fields, and a good one again."""
    writer, sink = memory_writer(**settings)
    writer.emit("log.message_recorded", MESSAGE)
    writer.emit("log.message_recorded", {**MESSAGE, **fields})
    writer.emit("log.message_recorded", MESSAGE)
    assert len(sink.lines) == 3
    assert_whole(sink.events)
    assert sink.events[0]["message"] == sink.events[2]["message"] == "m"
    return sink


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"message": object()}, "Type is not JSON serializable: object"),
        ({"message": Unprintable()}, "Type is not JSON serializable: Unprintable"),
        ({"message": b"hunter2"}, "Type is not JSON serializable: bytes"),
        ({"arguments": {"hunter2"}}, "Type is not JSON serializable: set"),
        ({"message": "hunter2\ud800"}, "surrogates not allowed"),
        ({"arguments": ["hunter2\udfff"]}, "surrogates not allowed"),
        ({"hunter\ud800": 1}, r'field name "hunter\ud800" cannot be written as JSON'),
        ({5: "hunter2"}, "a field name is of type int, expected str"),
        ({"message": {5: "hunter2"}}, "Dict key must"),
        ({"message": 2**70}, "Integer exceeds 64-bit range"),
        ({"arguments": [-(2**70)]}, "Integer exceeds 64-bit range"),
        ({"message": RECURSIVE}, "Recursion limit reached"),
        ({"arguments": DEEP}, "Recursion limit reached"),
        ({"function": float("nan")}, 'field "function" is NaN or infinite'),
        ({"message": float("inf")}, 'field "message" is NaN or infinite'),
        ({"arguments": ["a", float("-inf")]}, 'field "arguments" is NaN or infinite'),
        ({"message": {"deep": [float("nan")]}}, 'field "message" is NaN or infinite'),
        ({"function": Point(1.0)}, "is of the wrong type"),
        ({"message": None}, "is of the wrong type"),
        ({"message": 5}, "is of the wrong type"),
    ],
)
def test_a_value_json_cannot_hold_is_rejected_by_name(fields: dict[str, Any], reason: str) -> None:
    """Production: one event_rejected that says what and where, without the value. Strict: the same sentence raised."""
    rejected = emit_between(fields).events[1]
    assert rejected["event"] == "logging.event_rejected"
    assert any(reason in problem for problem in rejected["problems"]), rejected["problems"]
    assert "hunter2" not in str(rejected["problems"])
    writer, sink = memory_writer(strict=True)
    with pytest.raises(InvalidEventError) as caught:
        writer.emit("log.message_recorded", {**MESSAGE, **fields})
    assert reason in str(caught.value)
    writer.emit("log.message_recorded", MESSAGE)
    assert [event["seq"] for event in sink.events] == [1]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_nan_does_not_pass_as_null_in_a_nullable_number(number: float) -> None:
    """Orjson would write null, which `retry_delay_ms` admits: it must be an error all the same."""
    writer, sink = memory_writer()
    writer.emit(
        "db.high_query_count_detected", {"query_count": 1, "threshold": 1, "query_time_ms": number, "route": None}
    )
    assert sink.events[0]["event"] == "logging.event_rejected"
    fields = {"operation": "o", "http_method": "GET", "attempt": 1, "status_code": None, "status_class": "none"}
    fields |= {"reason": None, "outcome": "unsent", "duration_ms": 1, "is_error": 1, "is_rate_limited": 0}
    fields |= {"request_size_bytes": 0, "response_size_bytes": 0, "page": None, "item_count": None, "quota_units": 0}
    fields |= {"quota_day": "2026-01-01", "project": "p", "account_hash": None, "error_type": None}
    writer.emit("google_api.call_finished", {**fields, "retry_delay_ms": None})
    writer.emit("google_api.call_finished", {**fields, "retry_delay_ms": number})
    assert [event["event"] for event in sink.events[1:]] == ["google_api.call_finished", "logging.event_rejected"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (Text("sub"), "sub"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (datetime(2026, 1, 2, tzinfo=UTC), "2026-01-02T00:00:00+00:00"),
        (Kind.WEB, "web"),
        ('quotes " \\ \x00 \x7f \u2028 😀', 'quotes " \\ \x00 \x7f \u2028 😀'),
    ],
)
def test_what_is_written_as_text_counts_as_text(value: Any, written: str) -> None:
    """Subclasses of str, UUIDs, datetimes and enums are valid where their JSON form is."""
    assert emit_between({"message": value}, strict=True).events[1]["message"] == written


def test_a_tuple_counts_as_a_list() -> None:
    """JSON has one kind of sequence."""
    assert emit_between({"arguments": ("a", "b")}, strict=True).events[1]["arguments"] == ["a", "b"]


@pytest.mark.parametrize("text", ["a" * 10_000_000, "\x01" * 3_000_000, "é😀" * 2_000_000, '"\\' * 3_000_000])
def test_a_field_of_many_megabytes_is_cut_marked_and_counted(text: str) -> None:
    """The head stays, the mark says how much went, and the line is within its limit and nearly full."""
    writer, sink = memory_writer(strict=True)
    writer.emit("log.message_recorded", {**MESSAGE, "message": text})
    line = sink.events[0]
    assert MAX_LINE_BYTES * 0.9 < len(sink.lines[0]) <= MAX_LINE_BYTES
    assert line["shortened_fields"] == ["message"]
    head, _, mark = line["message"].rpartition("…[")
    assert text.startswith(head)
    assert mark == f"{len(text.encode()) - len(head.encode())} bytes cut]"
    assert writer.shortened == 1
    assert_whole(sink.events)


def test_only_as_many_fields_are_cut_as_needed() -> None:
    """The longest goes first; what fits beside it stays whole."""
    writer, sink = memory_writer(strict=True)
    writer.emit("log.message_recorded", {**MESSAGE, "message": "m" * 200_000, "error_stack": "s" * 30_000})
    assert sink.events[0]["shortened_fields"] == ["message"]
    assert sink.events[0]["error_stack"] == "s" * 30_000


def test_a_long_list_is_cut_at_an_item() -> None:
    """Items stay whole; the list loses its tail."""
    writer, sink = memory_writer(strict=True)
    writer.emit("log.message_recorded", {**MESSAGE, "arguments": [f"{number}" * 4000 for number in range(10, 40)]})
    arguments = sink.events[0]["arguments"]
    assert 0 < len(arguments) < 30
    assert arguments[-1] == f"{9 + len(arguments)}" * 4000
    assert sink.events[0]["shortened_fields"] == ["arguments"]


def test_what_cannot_be_cut_is_rejected_with_its_size() -> None:
    """Numbers and nested objects are not cut: an event that stays too long is rejected, and says how long it was."""

    class Narrow(MemorySink):
        max_line_bytes = 600

    writer, _ = memory_writer()
    sink = Narrow()
    writer.replace_sink(sink)
    instances = [{"instance_id": f"{number:032x}", "last_seq": 1} for number in range(200)]
    fields = dict.fromkeys(["interval_s", "read_count", "pushed_count", "dead_letter_count", "push_count"], 10**15)
    fields |= dict.fromkeys(["push_error_count", "read_back_count", "already_stored_count", "pushed_bytes"], 10**15)
    fields |= {"backlog_bytes": 10**15, "lag_s": 0, "shipper": "embedded", "instances": instances}
    writer.emit("shipper.status_reported", fields)
    assert sink.events[0]["event"] == "logging.event_rejected"
    assert "cannot be cut to a line of 600" in sink.events[0]["problems"][0]


@pytest.mark.parametrize("letter", ["k", "😀", "\x01", '"'])
def test_a_rejection_fits_into_a_line_of_stdout(letter: str) -> None:
    """Ten long problems are more than 4,096 bytes; the list is cut so that the line stays atomic in a pipe."""

    class Stdout(MemorySink):
        max_line_bytes = MAX_STDOUT_LINE_BYTES

    writer, _ = memory_writer()
    sink = Stdout()
    writer.replace_sink(sink)
    writer.emit("log.message_recorded", {**MESSAGE, **{f"{letter * 250}{number}": 1 for number in range(10)}})
    assert sink.events[0]["event"] == "logging.event_rejected"
    assert sink.events[0]["problem_count"] == 10
    assert ("shortened_fields" in sink.events[0]) == (letter == "\x01")
    assert len(sink.lines[0]) <= MAX_STDOUT_LINE_BYTES
