"""Put settings in force and hand out the two ways to emit.

In: Settings. Out: a writer in place, structlog configured. Never: touches the standard library's logging by itself.
"""

from __future__ import annotations

from typing import Any

import structlog

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.events.bound_logger import EventBoundLogger
from logging_pkg.events.structlog_processor import EventLoggerFactory, event_processor
from logging_pkg.schemas import load_registry
from logging_pkg.writer import Writer, get_writer, set_writer


def configure(settings: Settings) -> Writer:
    """Start writing with these settings: loads the schemas, replaces the process-wide writer, configures structlog.

    Raises:
        SchemaError: a schema file is broken; nothing has been changed then.
    """
    registry = load_registry(settings.schema_directories)
    conf.configure(settings)
    writer = set_writer(Writer(settings, registry))
    configure_structlog()
    return writer


def configure_structlog() -> None:
    """Make `structlog.get_logger()` emit events.

    `cache_logger_on_first_use` stays off: it is the writer that is replaced in tests, and caching would save a
    microsecond at the price of loggers that no later configuration reaches.
    """
    structlog.configure(
        processors=[event_processor],
        wrapper_class=EventBoundLogger,
        logger_factory=EventLoggerFactory(),
        cache_logger_on_first_use=False,
    )


def emit(event: str, /, *, level: str | None = None, **fields: Any) -> None:
    """Write one event: `emit("user.action_recorded", action="toggle")`.

    Args:
        event: a name declared in a schema directory.
        level: instead of the schema's own.
        fields: the event's own fields; the envelope is added.

    Raises:
        UnknownEventError, InvalidEventError: in strict mode (tests, development). In production a
            `logging.event_rejected` takes the event's place and the caller goes on.
    """
    get_writer().emit(event, fields, level)


def get_logger(**bound: Any) -> Any:
    """A structlog logger whose methods write events; bound values become fields of each."""
    return structlog.get_logger(**bound)
