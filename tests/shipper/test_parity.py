"""The embedded shipper and vector.toml make the same of every line."""

from __future__ import annotations

import orjson
import pytest

from logging_pkg.schemas import load_registry
from logging_pkg.schemas.conventions import MAX_LINE_BYTES, STREAM_LABELS, STRUCTURED_METADATA
from logging_pkg.schemas.examples import example_lines
from logging_pkg.shipper.checks import LineChecker
from tests.shipper.vector_program import Pushed, VectorConfig

REGISTRY = load_registry()
GOOD = next(iter(example_lines(REGISTRY, "process.sampled", 1)))


@pytest.fixture(scope="module")
def vector() -> VectorConfig:
    return VectorConfig()


@pytest.fixture(scope="module")
def checker() -> LineChecker:
    return LineChecker(REGISTRY.events)


def embedded(checker: LineChecker, line: bytes) -> Pushed | str:
    found = checker.check(line)
    if isinstance(found, str):
        return found
    labels = dict(zip(STREAM_LABELS, found.stream, strict=True))
    return Pushed(labels, found.metadata, int(found.timestamp_ns), found.line)


def changed(**fields: object) -> bytes:
    return orjson.dumps({**GOOD, **fields})


def without(name: str) -> bytes:
    return orjson.dumps({key: value for key, value in GOOD.items() if key != name})


@pytest.mark.parametrize("event", sorted(REGISTRY.events))
def test_every_schema_gives_the_same_stream_metadata_timestamp_and_line(
    event: str, vector: VectorConfig, checker: LineChecker
) -> None:
    """Sample lines of each schema, with all fields and with required ones only, come out the same, byte for byte."""
    for document in example_lines(REGISTRY, event, 6, awkward=True):
        line = orjson.dumps(document)
        pushed = vector.ship(line)
        assert isinstance(pushed, Pushed)
        assert pushed == embedded(checker, line)
        assert pushed.line.encode() == line
        assert set(pushed.labels) == set(STREAM_LABELS)
        assert set(pushed.metadata) <= set(STRUCTURED_METADATA)
        assert pushed.metadata["event_id"] == document["event_id"]


DEEP = b'{"a":' * 127
BAD = {
    "oversize": (b"{" + b" " * MAX_LINE_BYTES + b"}", "oversize_line"),
    "one byte too long": (changed(note="x" * (MAX_LINE_BYTES - len(changed(note="")))), "oversize_line"),
    "torn": (orjson.dumps(GOOD)[:-7], "not_a_json_object"),
    "empty": (b"", "not_a_json_object"),
    "text": (b"Traceback (most recent call last):", "not_a_json_object"),
    "array": (b'["event"]', "not_a_json_object"),
    "number": (b"17", "not_a_json_object"),
    "two objects": (orjson.dumps(GOOD) * 2, "not_a_json_object"),
    "leading space": (b" " + orjson.dumps(GOOD), "not_a_json_object"),
    "byte order mark": (b"\xef\xbb\xbf" + orjson.dumps(GOOD), "not_a_json_object"),
    "NaN": (b'{"a":NaN}', "not_a_json_object"),
    "number out of range": (b'{"a":1e400}', "not_a_json_object"),
    "lone surrogate": (rb'{"event":"\ud800"}', "not_a_json_object"),
    "control character": (b'{"event":"a\x01"}', "not_a_json_object"),
    "nested too deep": (b'{"a":' * 128 + b"1" + b"}" * 128, "not_a_json_object"),
    "arrays nested too deep": (b'{"a":' + b"[" * 127 + b"]" * 127 + b"}", "not_a_json_object"),
    "as deep as allowed": (DEEP + b"1" + b"}" * 127, "unknown_event"),
    "not UTF-8": (orjson.dumps(GOOD).replace(b'"level"', b'"lev\xffel"'), "not_utf8"),
    "UTF-8 surrogate": (b'{"event":"\xed\xa0\x80"}', "not_utf8"),
    "no event": (without("event"), "unknown_event"),
    "event of another type": (changed(event=["process.sampled"]), "unknown_event"),
    "undeclared event": (changed(event="process.smapled"), "unknown_event"),
    "no service_name": (without("service_name"), "bad_label"),
    "service_name in capitals": (changed(service_name="Web"), "bad_label"),
    "service_name with a newline": (changed(service_name="web\n"), "bad_label"),
    "service_name too long": (changed(service_name="a" * 64), "bad_label"),
    "service_name of another type": (changed(service_name=1), "bad_label"),
    "no env": (without("env"), "bad_label"),
    "empty env": (changed(env=""), "bad_label"),
    "env too long": (changed(env="a" * 33), "bad_label"),
    "no timestamp": (without("timestamp"), "bad_timestamp"),
    "timestamp of another type": (changed(timestamp=1772368496), "bad_timestamp"),
    "timestamp without microseconds": (changed(timestamp="2026-03-01T12:34:56Z"), "bad_timestamp"),
    "timestamp in another zone": (changed(timestamp="2026-03-01T12:34:56.789012+01:00"), "bad_timestamp"),
    "timestamp with a space": (changed(timestamp="2026-03-01 12:34:56.789012Z"), "bad_timestamp"),
    "no such day": (changed(timestamp="2026-02-30T12:34:56.789012Z"), "bad_timestamp"),
    "no such month": (changed(timestamp="2026-13-01T12:34:56.789012Z"), "bad_timestamp"),
    "hour 24": (changed(timestamp="2026-03-01T24:00:00.000000Z"), "bad_timestamp"),
    "leap second": (changed(timestamp="2016-12-31T23:59:60.000000Z"), "bad_timestamp"),
    "year 0": (changed(timestamp="0000-03-01T12:34:56.789012Z"), "bad_timestamp"),
    "year 9999": (changed(timestamp="9999-03-01T12:34:56.789012Z"), "bad_timestamp"),
    "digits of another script": (changed(timestamp="2026-03-01T12:34:56.78901٢Z"), "bad_timestamp"),
    "no event_id": (without("event_id"), "bad_event_id"),
    "event_id of another type": (changed(event_id=7), "bad_event_id"),
    "event_id without seq": (changed(event_id="0" * 32), "bad_event_id"),
    "event_id with seq 0": (changed(event_id="0" * 32 + "-0"), "bad_event_id"),
    "event_id with a newline": (changed(event_id="0" * 32 + "-1\n"), "bad_event_id"),
    "event_id with a space behind it": (changed(event_id="0" * 32 + "-1 x"), "bad_event_id"),
    "level of another type": (changed(level=3), "bad_metadata"),
    "empty correlation_id": (changed(correlation_id=""), "bad_metadata"),
    "correlation_id with a newline": (changed(correlation_id="a\nb"), "bad_metadata"),
    "request_id with a space": (changed(request_id="a b"), "bad_metadata"),
    "sync_id too long": (changed(sync_id="a" * 65), "bad_metadata"),
    "api_call_id as an object": (changed(api_call_id={"a": 1}), "bad_metadata"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_dead_lettered_by_both_with_the_same_reason(
    name: str, vector: VectorConfig, checker: LineChecker
) -> None:
    """Each kind of bad line has one reason, whichever shipper runs."""
    line, reason = BAD[name]
    assert vector.ship(line) == reason
    assert embedded(checker, line) == reason


ODD_BUT_GOOD = {
    "null metadata": changed(request_id=None, sync_id=None),
    "spaces between tokens": orjson.dumps(GOOD).replace(b'","', b'" , "'),
    "a duplicate key": orjson.dumps(GOOD)[:-1] + b',"level":"error"}',
    "an escaped value": orjson.dumps(GOOD).replace(b'"process.sampled"', rb'"process\u002esampled"'),
    "a carriage return at the end": orjson.dumps(GOOD) + b"\r",
    "the longest line": changed(note="x" * (MAX_LINE_BYTES - 1 - len(changed(note="")))),
    "the first second": changed(timestamp="1970-01-01T00:00:00.000000Z"),
    "a leap day": changed(timestamp="2028-02-29T23:59:59.999999Z"),
    "the last second": changed(timestamp="2199-12-31T23:59:59.999999Z"),
}


@pytest.mark.parametrize("name", ODD_BUT_GOOD)
def test_an_odd_line_that_both_can_read_is_shipped_as_it_is(
    name: str, vector: VectorConfig, checker: LineChecker
) -> None:
    """Neither shipper re-encodes a line, however it is written."""
    line = ODD_BUT_GOOD[name]
    pushed = vector.ship(line)
    assert isinstance(pushed, Pushed), pushed
    assert pushed == embedded(checker, line)
    assert pushed.line.encode() == line


def test_a_verdict_does_not_depend_on_the_lines_before(checker: LineChecker) -> None:
    """What the checker remembers (label sets, seconds) is bounded and changes no verdict."""
    fresh = LineChecker(REGISTRY.events)
    for number in range(5000):
        line = changed(
            service_name=f"web-{number}",
            timestamp=f"2026-03-01T{number // 3600:02}:{number // 60 % 60:02}:{number % 60:02}.000001Z",
        )
        assert embedded(fresh, line) == embedded(checker, line)
    assert len(fresh._streams) <= 4096
    assert len(fresh._seconds) <= 4096
