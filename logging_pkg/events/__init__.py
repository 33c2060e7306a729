"""The ways into the event stream: `emit`, structlog and the standard library's logging.

In: event names and fields, log records. Out: calls of the writer. Never: a second path around validation.
"""

from logging_pkg.events.configuration import configure, configure_structlog, emit, get_logger
from logging_pkg.events.standard_library import StandardLibraryHandler, install_handler
from logging_pkg.events.structlog_processor import EventLoggerFactory, event_processor

__all__ = [
    "EventLoggerFactory",
    "StandardLibraryHandler",
    "configure",
    "configure_structlog",
    "emit",
    "event_processor",
    "get_logger",
    "install_handler",
]
