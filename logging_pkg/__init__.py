"""Log-derived observability for Django: declared events in, one validated JSON line each out.

In: what a project wants to say about itself. Out: the public names below.
Never: imports Django or structlog before one of them is used, so that the shipper and the tools stay light.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from logging_pkg.lazy_names import imported_when_used

if TYPE_CHECKING:
    from logging_pkg.conf import Settings
    from logging_pkg.context import (
        ContextThreadPoolExecutor,
        carry_context,
        continued,
        current_correlation_id,
        current_headers,
        current_traceparent,
        new_correlation,
    )
    from logging_pkg.events import configure, emit, get_logger
    from logging_pkg.instrumentation.function import track_performance
    from logging_pkg.instrumentation.process import start_heartbeat
    from logging_pkg.instrumentation.user import record_action

__all__ = [
    "ContextThreadPoolExecutor",
    "Settings",
    "carry_context",
    "configure",
    "continued",
    "current_correlation_id",
    "current_headers",
    "current_traceparent",
    "emit",
    "get_logger",
    "new_correlation",
    "record_action",
    "start_heartbeat",
    "track_performance",
]

if not TYPE_CHECKING:
    __getattr__ = imported_when_used(
        __name__,
        {
            "ContextThreadPoolExecutor": "context",
            "Settings": "conf",
            "carry_context": "context",
            "configure": "events",
            "continued": "context",
            "current_correlation_id": "context",
            "current_headers": "context",
            "current_traceparent": "context",
            "emit": "events",
            "get_logger": "events",
            "new_correlation": "context",
            "record_action": "instrumentation.user",
            "start_heartbeat": "instrumentation.process",
            "track_performance": "instrumentation.function",
        },
    )
