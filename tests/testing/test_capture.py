"""capture_events and the log_events fixture: everything emitted is seen, whoever emits it."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

import logging_pkg
from logging_pkg import conf
from logging_pkg.exceptions import InvalidEventError, SchemaError
from logging_pkg.testing import LogEvents, assert_event, capture_events
from logging_pkg.writer import get_writer

FIELDS: dict[str, Any] = {"logger": "l", "message": "m", "source": "s", "function": None}


def emit(message: str = "m") -> None:
    logging_pkg.emit("log.message_recorded", **{**FIELDS, "message": message})


async def test_threads_and_tasks_are_seen(log_events: LogEvents) -> None:
    """In the order written."""
    threads = [threading.Thread(target=emit, args=(f"thread {number}",)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    await asyncio.gather(*(asyncio.to_thread(emit, f"task {number}") for number in range(5)))
    assert len(log_events.named("log.message_recorded")) == 10
    assert [event["seq"] for event in log_events] == list(range(1, 11))


def test_the_fixture_sees_only_its_own_test(log_events: LogEvents) -> None:
    """It starts empty."""
    assert log_events == []
    emit()
    assert len(log_events) == 1


def test_a_capture_inside_a_capture(log_events: LogEvents) -> None:
    """The inner one takes what is emitted inside; afterwards the outer one goes on."""
    emit("before")
    with capture_events() as inner:
        emit("inside")
    emit("after")
    assert [event["message"] for event in inner] == ["inside"]
    assert [event["message"] for event in log_events] == ["before", "after"]
    assert_event(log_events, "log.message_recorded", seq=2, message="after")


def test_settings_hold_for_the_block_only() -> None:
    """Overrides are undone, also after an error; a wrong one is refused before anything is changed."""
    before, writer = conf.settings(), get_writer()

    def failing() -> None:
        with capture_events(max_findings=3, strict=False):
            assert (conf.settings().max_findings, conf.settings().strict) == (3, False)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert conf.settings() is before
    assert get_writer() is writer
    with pytest.raises(TypeError), capture_events(no_such_setting=1):
        pytest.fail("entered")
    with pytest.raises(SchemaError), capture_events(schema_directories=("/nowhere",)):
        pytest.fail("entered")
    assert conf.settings() is before


def test_an_invalid_line_fails_the_test_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that is not valid as a whole, envelope included, does not pass unseen."""

    def block() -> None:
        with capture_events():
            monkeypatch.setattr(get_writer(), "instance_id", "not-an-instance")
            emit()

    with pytest.raises(InvalidEventError, match='field "event_id" does not match'):
        block()


def test_strict_by_default_and_production_on_demand() -> None:
    """An invalid event raises, or becomes an event_rejected that can be asserted."""
    with capture_events() as events, pytest.raises(InvalidEventError):
        logging_pkg.emit("log.message_recorded", message=5)
    assert events == []
    with capture_events(strict=False) as events:
        logging_pkg.emit("log.message_recorded", message=5)
    assert_event(events, "logging.event_rejected", rejected_event="log.message_recorded")


def test_schemas_of_the_project(tmp_path: Any) -> None:
    """A further directory for the length of the block."""
    (tmp_path / "shop.order_placed.json").write_text(
        '{"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "shop.order_placed", "type": "object",'
        '"x-since": "1", "x-schema-version": 3, "properties": {}, "additionalProperties": false}'
    )
    with capture_events(schema_directories=(tmp_path,)) as events:
        logging_pkg.emit("shop.order_placed")
    assert_event(events, "shop.order_placed", schema_version=3)


def test_the_plugin_keeps_test_sessions_quiet() -> None:
    """Strict, no heartbeat, no files, unless the environment says otherwise."""
    assert conf.settings().strict
    assert conf.settings().heartbeat_interval_s == 0
    assert conf.settings().stuck_request_threshold_s == 0
    assert conf.settings().sink == "none"
