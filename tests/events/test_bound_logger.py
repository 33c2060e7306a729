"""The logger that `structlog.get_logger()` returns."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
import structlog

from logging_pkg.events import configure_structlog, event_processor
from logging_pkg.exceptions import InvalidEventError
from logging_pkg.testing import LogEvents, assert_event

EVENT = "function.call_finished"
FIELDS: dict[str, Any] = {
    "function": "work",
    "duration_ms": 1.5,
    "outcome": "ok",
    "is_error": 0,
    "error_type": None,
    "sample_weight": 1,
}


@pytest.fixture
def log() -> Any:
    """A logger made with this project's configuration in force."""
    configure_structlog()
    return structlog.get_logger()


@pytest.mark.parametrize(
    ("method", "level"),
    [
        ("debug", "debug"),
        ("info", "info"),
        ("msg", "info"),
        ("warn", "warning"),
        ("warning", "warning"),
        ("error", "error"),
        ("critical", "critical"),
        ("fatal", "critical"),
    ],
)
def test_each_method_writes_an_event_of_its_level(log: Any, log_events: LogEvents, method: str, level: str) -> None:
    """The method's name is the level; the fields arrive as they were given."""
    getattr(log, method)(EVENT, **FIELDS)
    assert_event(log_events, EVENT, count=1, level=level, **FIELDS)


async def test_asynchronous_methods_write_the_same_event(log: Any, log_events: LogEvents) -> None:
    """`await log.ainfo(…)` is structlog's own and ends in the same place."""
    await log.ainfo(EVENT, **FIELDS)
    assert_event(log_events, EVENT, count=1, level="info", **FIELDS)


def test_bound_values_are_fields_of_each_event_and_the_call_wins(log: Any, log_events: LogEvents) -> None:
    """A call's own value replaces a bound one for that event only."""
    bound = log.bind(**FIELDS)
    bound.info(EVENT, function="other")
    bound.info(EVENT)
    assert [event["function"] for event in log_events] == ["other", "work"]


def test_exception_adds_what_the_event_declares(log: Any, log_events: LogEvents) -> None:
    """`log.exception` fills error_type from the exception being handled."""
    fields = {name: value for name, value in FIELDS.items() if name != "error_type"}
    try:
        raise LookupError("a value that must not be told")
    except LookupError:
        log.exception(EVENT, **fields)
    assert_event(log_events, EVENT, count=1, level="error", error_type="LookupError")


def test_positional_arguments_are_interpolated_as_structlog_does(log: Any, log_events: LogEvents) -> None:
    """The event's name may be put together the way structlog allows."""
    log.info("function.%s_finished", "call", **FIELDS)
    assert_event(log_events, EVENT, count=1)


def test_a_wrong_field_raises_in_the_call(log: Any, log_events: LogEvents) -> None:
    """Strict mode tells the caller, and nothing is written."""
    with pytest.raises(InvalidEventError, match='unknown field "functoin"'):
        log.info(EVENT, functoin="work", **FIELDS)
    assert log_events == []


def test_a_projects_own_processors_run_before_ours(log_events: LogEvents) -> None:
    """They may add fields and drop events."""

    def name_it(_logger: Any, method: str, event_dict: structlog.typing.EventDict) -> structlog.typing.EventDict:
        if method == "debug":
            raise structlog.DropEvent
        return {**event_dict, "function": "named by a processor"}

    configure_structlog()
    structlog.configure(processors=[name_it, event_processor])
    try:
        structlog.get_logger().debug(EVENT, **FIELDS)
        structlog.get_logger().info(EVENT, **FIELDS)
    finally:
        configure_structlog()
    assert_event(log_events, EVENT, count=1, function="named by a processor")
    assert len(log_events) == 1


def test_structlogs_own_capture_sees_the_calls(log: Any, log_events: LogEvents) -> None:
    """Projects that test with `structlog.testing.capture_logs` go on doing so; nothing is written meanwhile."""
    with structlog.testing.capture_logs() as captured:
        log.warning("anything.at_all", number=1)
    assert captured == [{"event": "anything.at_all", "log_level": "warning", "number": 1}]
    assert log_events == []


def test_a_callers_fields_are_not_changed(log: Any, log_events: LogEvents) -> None:
    """What is passed with ** stays as it was, and so does the bound context."""
    fields = dict(FIELDS)
    bound = log.bind(function="bound")
    bound.info(EVENT, **{name: value for name, value in fields.items() if name != "function"})
    assert fields == FIELDS
    assert structlog.get_context(bound) == {"function": "bound"}
    assert len(log_events) == 1


def test_bound_loggers_can_be_pickled(log: Any, log_events: LogEvents) -> None:
    """As structlog's can: they travel to worker processes."""
    pickle.loads(pickle.dumps(log.bind(**FIELDS))).info(EVENT)
    assert_event(log_events, EVENT, count=1, function="work")
