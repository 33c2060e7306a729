"""structlog's way into the stream."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import structlog

import logging_pkg
from logging_pkg.context import active, start_span
from logging_pkg.events import event_processor
from logging_pkg.exceptions import InvalidEventError, UnknownEventError
from logging_pkg.testing import LogEvents, assert_event, capture_events

FIELDS: dict[str, Any] = {"logger": "l", "message": "m", "source": "s", "function": None}
CACHED_AT_IMPORT = structlog.get_logger()
BOUND_AT_IMPORT = structlog.get_logger().bind(logger="bound", function=None)


def test_emit_and_structlog_write_the_same(log_events: LogEvents) -> None:
    """Two ways, one line, but for what counts up."""
    with active(start_span("request")):
        logging_pkg.emit("log.message_recorded", **FIELDS)
        structlog.get_logger().info("log.message_recorded", **FIELDS)
    first, second = log_events
    changing = ("seq", "event_id", "timestamp")
    assert {k: v for k, v in first.items() if k not in changing} == {
        k: v for k, v in second.items() if k not in changing
    }


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", "debug"),
        ("info", "info"),
        ("warning", "warning"),
        ("warn", "warning"),
        ("error", "error"),
        ("exception", "error"),
        ("critical", "critical"),
        ("fatal", "critical"),
        ("msg", "info"),
    ],
)
def test_the_method_is_the_level(log_events: LogEvents, method: str, level: str) -> None:
    """Whatever structlog calls it."""
    logger = structlog.get_logger()
    if not hasattr(logger, method):
        pytest.fail(f"structlog has no {method}")
    getattr(logger, method)("log.message_recorded", **FIELDS)
    assert log_events[0]["level"] == level


def test_log_with_a_number(log_events: LogEvents) -> None:
    """`logger.log(logging.ERROR, …)` as well."""
    structlog.get_logger().log(logging.ERROR, "log.message_recorded", **FIELDS)
    assert log_events[0]["level"] == "error"


def test_bound_values_are_fields(log_events: LogEvents) -> None:
    """Bound once, in each event; unbound again, gone."""
    logger = logging_pkg.get_logger(function=None, message="m").bind(logger="bound", source="s")
    logger.info("log.message_recorded", message="one")
    with pytest.raises(InvalidEventError, match='missing field "source"'):
        logger.unbind("source").info("log.message_recorded")
    assert [(event["logger"], event["source"], event["message"]) for event in log_events] == [("bound", "s", "one")]


def test_loggers_made_before_the_capture_are_captured(log_events: LogEvents) -> None:
    """Loggers of module level, bound or not."""
    CACHED_AT_IMPORT.info("log.message_recorded", **FIELDS)
    BOUND_AT_IMPORT.info("log.message_recorded", message="m", source="s")
    assert len(log_events) == 2


def test_exceptions_fill_the_fields_that_are_declared(log_events: LogEvents) -> None:
    """`log.exception` in an event with error_type and error_stack: class and stack, never the message."""
    try:
        int("hunter2")
    except ValueError:
        structlog.get_logger().exception("log.message_recorded", **FIELDS)
    event = assert_event(log_events, "log.message_recorded", error_type="ValueError", level="error")
    assert f"{__file__}:" in event["error_stack"]
    assert "test_exceptions_fill_the_fields_that_are_declared" in event["error_stack"]
    assert "hunter2" not in str(event)


def test_an_exception_object_or_tuple_is_accepted_too(log_events: LogEvents) -> None:
    """`exc_info` in each of its forms."""
    error = KeyError("hunter2")
    logger = structlog.get_logger()
    logger.error("log.message_recorded", exc_info=error, **FIELDS)
    logger.error("log.message_recorded", exc_info=(KeyError, error, None), **FIELDS)
    logger.error("log.message_recorded", exc_info=(None, None, None), **FIELDS)
    logger.error("log.message_recorded", **FIELDS)
    assert [event.get("error_type") for event in log_events] == ["KeyError", "KeyError", None, None]


def test_exceptions_are_left_out_where_they_are_not_declared(log_events: LogEvents) -> None:
    """An event without such fields stays valid."""
    structlog.get_logger().error(
        "db.high_query_count_detected",
        query_count=1,
        threshold=0,
        query_time_ms=0,
        route=None,
        exc_info=ValueError("x"),
    )
    assert "error_type" not in log_events[0]


def test_strict_raises_at_the_call() -> None:
    """Where the mistake is."""
    with capture_events(), pytest.raises(UnknownEventError, match="unknown event"):
        structlog.get_logger().info("log.nothing_recorded")


@pytest.mark.parametrize("event", ["user bob@example.com signed in", ["a"], 5, None, "log.nothing_recorded"])
def test_production_goes_on_whatever_is_logged(event: Any) -> None:
    """Free text, lists, None: rejected, counted, not raised, not repeated; with an exception on top or not."""
    with capture_events(strict=False) as events:
        structlog.get_logger().info(event)
        structlog.get_logger().error(event, exc_info=ValueError("x"))
    assert [entry["event"] for entry in events] == ["logging.event_rejected"] * 2
    assert "bob@example.com" not in str(events)


def test_the_processor_ends_any_chain(log_events: LogEvents) -> None:
    """A project's own processors may stand before it."""
    logger = structlog.wrap_logger(
        None,
        processors=[lambda _, __, event: {**event, "source": "processed"}, event_processor, _drop],
        wrapper_class=structlog.make_filtering_bound_logger(0),
    )
    logger.info("log.message_recorded", **FIELDS)
    assert log_events[0]["source"] == "processed"


def _drop(*_: object) -> str:
    raise structlog.DropEvent
