"""structlog's end of the fused path.

In: structlog event dictionaries. Out: calls of the writer. Never: rendering or output of its own.
"""

from __future__ import annotations

import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any

from logging_pkg.events.stacks import describe_exception
from logging_pkg.writer import get_writer

_LEVEL_OF_METHOD = {"warn": "warning", "exception": "error", "fatal": "critical", "msg": "info", "log": "info"}


def event_processor(_logger: Any, method_name: str, event_dict: MutableMapping[str, Any]) -> str:
    """The last processor of a structlog chain: the dictionary becomes an event.

    The method's name is the event's level. `exc_info` becomes `error_type` and `error_stack` where the event
    declares them.

    Raises:
        UnknownEventError, InvalidEventError: in strict mode.
    """
    event = event_dict.pop("event")
    writer = get_writer()
    exc_info = event_dict.pop("exc_info", None)
    if exc_info:
        _add_exception(event, event_dict, exc_info)
    writer.emit(event, event_dict, _LEVEL_OF_METHOD.get(method_name, method_name))
    return ""


def _add_exception(event: str, fields: MutableMapping[str, Any], exc_info: Any) -> None:
    error = _exception_of(exc_info)
    schema = get_writer().registry.events.get(event) if isinstance(event, str) else None
    if error is None or schema is None:
        return
    error_type, stack = describe_exception(error)
    for name, value in (("error_type", error_type), ("error_stack", stack)):
        if name in schema.properties:
            fields.setdefault(name, value)


def _exception_of(exc_info: Any) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        found: tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] = exc_info
        return found[1]
    return sys.exc_info()[1]


class _EventLogger:
    """What structlog calls last; the processor has already written the event."""

    def msg(self, message: str) -> None:
        """Do nothing."""

    log = debug = info = warn = warning = error = critical = exception = fatal = failure = err = msg


class EventLoggerFactory:
    """structlog's `logger_factory`."""

    def __call__(self, *_args: Any) -> _EventLogger:
        """Return a logger that outputs nothing."""
        return _EventLogger()
