"""structlog's bound logger, without what an event does not need: `structlog.get_logger()` returns it.

In: structlog's calls (`log.info("http.request_finished", …)`). Out: calls of the processors. Never: output of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

_Filtering = structlog.make_filtering_bound_logger(0)


def _method(level: str) -> Callable[..., None]:
    interpolating = getattr(_Filtering, level)

    def method(self: Any, event: str, *args: Any, **fields: Any) -> None:
        if args:
            interpolating(self, event, *args, **fields)
            return
        event_dict = {**self._context, **fields} if self._context else fields
        event_dict["event"] = event
        try:
            for processor in self._processors:
                event_dict = processor(self._logger, level, event_dict)
        except structlog.DropEvent:
            return

    method.__name__ = level
    method.__qualname__ = f"EventBoundLogger.{level}"
    method.__doc__ = f"Write an event of level {level}."
    return method


class EventBoundLogger(_Filtering):  # type: ignore[misc, valid-type]
    """A filtering bound logger that lets every level through, cheaper than structlog's own.

    That one copies the fields four times on their way to the processors and hands the outcome to a logger that
    prints it; here they are copied once, and the last processor has written the line. Processors a project puts before
    ours run as ever. The asynchronous methods (`await log.ainfo(…)`) are structlog's.
    """

    debug = _method("debug")
    info = msg = _method("info")
    warning = warn = _method("warning")
    error = _method("error")
    critical = fatal = _method("critical")
