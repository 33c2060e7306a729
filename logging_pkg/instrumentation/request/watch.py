"""Watch one HTTP request from its first line to its last byte, and tell of it in one canonical event.

In: plain values of a request and its response. Out: `http.request_finished` and findings, once.
Never: reads a body, session or user from a store; imports Django.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable
from typing import Any

from logging_pkg.context import Span, current_unit, new_correlation_id, start_root_span, start_span
from logging_pkg.events.stacks import describe_exception
from logging_pkg.instrumentation.database.findings import report_n_plus_one, report_query_count
from logging_pkg.instrumentation.fields import cache_fields, database_fields, milliseconds
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.late_work import Ended, unattributed
from logging_pkg.instrumentation.request.remote_parent import NO_REMOTE_PARENT, RemoteParent
from logging_pkg.instrumentation.request.watchdog import in_flight
from logging_pkg.instrumentation.totals import Totals

_STATUS_CLASSES = ("", "1xx", "2xx", "3xx", "4xx", "5xx")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_SAFE_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_clock = time.perf_counter_ns

#: `http.request_finished` of a request that was answered at once and used nothing. Copied, filled in, and what only
#: some requests have is put behind it: Python copies a dictionary in one step, and makes one of many keys from parts.
_FINISHED: dict[str, Any] = {
    "method": "",
    "route": "",
    "path": "",
    "status_code": 0,
    "status_class": "",
    "outcome": "",
    "response_time_ms": 0.0,
    "time_to_first_byte_ms": 0.0,
    "is_error": 0,
    "is_slow": 0,
    "apdex": 1,
    "query_count": 0,
    "query_time_ms": 0.0,
    "duplicate_query_count": 0,
    "queries": [],
    "queries_unattributed": 0,
    "response_size_bytes": 0,
    "instrumentation_us": 0.0,
}


class RequestTotals(Totals):
    """Totals of a request, and the unhandled exception Django turned into a 500."""

    error: BaseException | None = None


class RequestWatch:
    """One request being watched.

    Args:
        method: HTTP method as sent.
        route: tells the route template; called when an event needs it.
        remote: correlation ID and parent span that a trusted peer sent (`remote_parent`).
    """

    #: Whether the watchdog has told of it.
    is_reported_stuck = False

    def __init__(self, method: str, route: Callable[[], str], remote: RemoteParent = NO_REMOTE_PARENT) -> None:
        self.entered = _clock()
        #: Time between the proxy's taking the request and the middleware's, where a trusted proxy told it, ms.
        self.queue_ms: float | None = None
        self._first_byte: int | None = None
        self._overhead = 0
        self.method = method if method in _METHODS else "OTHER"
        self.route = route
        self.totals = totals = RequestTotals(None, route)
        self._unattributed = unattributed.query_count
        self.span: Span
        if remote is NO_REMOTE_PARENT and current_unit() is None:
            self.span = start_root_span("request", totals)
        else:
            # A request served inside another unit (the test client, an internal call) belongs to that one.
            correlation_id, parent = remote
            if correlation_id is None and current_unit() is None:
                correlation_id = new_correlation_id()
            self.span = start_span("request", totals=totals, correlation_id=correlation_id, parent_span_id=parent)

    def started(self, task: asyncio.Task[Any] | None = None) -> None:
        """The view chain is about to run, in this thread or in this task: what passed until now was ours."""
        in_flight[self] = task or threading.get_ident()
        self._overhead = _clock() - self.entered

    def responded(self) -> None:
        """The response object is there: from now on nobody waits for the application, and the watchdog looks away."""
        self._first_byte = _clock()
        in_flight.pop(self, None)

    def finish(
        self,
        *,
        status: int,
        outcome: str | None = None,
        response_bytes: int,
        request_bytes: int | None = None,
        path: str | None = None,
        user_id: str | None = None,
        is_streaming: bool = False,
        is_htmx: bool = False,
        error: BaseException | None = None,
    ) -> None:
        """Emit the findings and the canonical event. A second call does nothing."""
        ended = _clock()
        if self._first_byte is None:
            in_flight.pop(self, None)
        elif not is_streaming:
            self._overhead += ended - self._first_byte  # header, user, path
        if not 100 <= status <= 599:
            status = 500  # no HTTP status, though Django lets a view set it
        settings = self.totals.settings
        elapsed_ms = (ended - self.entered + 500) // 1000 / 1000
        if outcome is None:
            outcome = "server_error" if status >= 500 else "client_error" if status >= 400 else "ok"
        slow_ms = settings.slow_request_threshold_ms
        # By `if`: Python has instructions for comparisons that decide a jump, a call for those whose answer is kept.
        is_slow = is_error = False
        if slow_ms is not None and elapsed_ms > slow_ms:
            is_slow = True
        if outcome == "server_error":
            is_error = True
        route, totals, span = self.route(), self.totals, self.span
        if not totals.end(Ended(ended, self.method, route, outcome, span)):
            return
        error = error or totals.error
        databases = database_fields(totals)
        query_count = databases["query_count"]
        api_time_ms = milliseconds(totals.api_nanoseconds) if totals.api_calls else 0.0
        if totals.has_repeated:
            report_n_plus_one(totals, span)
        if settings.query_count_threshold is not None and query_count > settings.query_count_threshold:
            report_query_count(totals, span)
        if is_slow and totals.take_finding():
            emit_safely(
                "http.slow_request_detected",
                {
                    "method": self.method,
                    "route": route,
                    "response_time_ms": elapsed_ms,
                    "threshold_ms": slow_ms,
                    "query_count": query_count,
                    "query_time_ms": databases["query_time_ms"],
                    "api_time_ms": api_time_ms,
                },
                span,
            )
        fields = _FINISHED.copy()
        fields["method"] = self.method
        fields["route"] = route
        fields["path"] = path or route
        fields["status_code"] = status
        fields["status_class"] = _STATUS_CLASSES[status // 100]
        fields["outcome"] = outcome
        fields["response_time_ms"] = elapsed_ms
        fields["time_to_first_byte_ms"] = ((self._first_byte or ended) - self.entered + 500) // 1000 / 1000
        if is_error:
            fields["is_error"] = 1
        if is_slow:
            fields["is_slow"] = 1
        if is_error or elapsed_ms > settings.apdex_threshold_ms:
            # Satisfied is 1, tolerating (up to four times the threshold) a half (Apdex specification 1.1).
            fields["apdex"] = 0 if is_error or elapsed_ms > 4 * settings.apdex_threshold_ms else 0.5
        fields |= databases
        fields["queries_unattributed"] = unattributed.query_count - self._unattributed
        if totals.caches:
            fields |= cache_fields(totals)
        if totals.api_calls:
            fields["api_call_count"] = totals.api_calls
            fields["api_time_ms"] = api_time_ms
        if user_id is not None:
            fields["user_id"] = user_id
        if request_bytes is not None:
            fields["request_size_bytes"] = request_bytes
        fields["response_size_bytes"] = response_bytes
        if is_streaming:
            fields["is_streaming"] = 1
        if is_htmx:
            fields["is_htmx"] = 1
        if totals.findings_dropped:
            fields["findings_dropped"] = totals.findings_dropped
        if totals.details_dropped:
            fields["details_dropped"] = totals.details_dropped
        if self.queue_ms is not None:
            fields["queue_time_ms"] = self.queue_ms
        if error is not None:
            fields["error_type"], fields["error_stack"] = describe_exception(error)
        watching = totals.watching_nanoseconds(query_count)
        fields["instrumentation_us"] = (self._overhead + watching + _clock() - ended) // 100 / 10
        emit_safely("http.request_finished", fields, span)
        # Threads hold the span, the span the totals: what leads on from there would keep the request, its response and
        # the frames of its exception for as long.
        totals.error = None
        totals.route = lambda: route
        if totals.deferred:
            totals.run_deferred()


def fill_path(route: str, parameters: dict[str, Any], allowed: tuple[str, ...]) -> str:
    """The route with the values of allow-listed URL parameters in place of their `{name}`.

    Args:
        route: template in which `parameters` stand as `{name}`.
        parameters: the resolver's keyword arguments.
        allowed: names whose values may be told.
    """
    for name in allowed:
        value = str(parameters.get(name, ""))
        if _SAFE_VALUE.fullmatch(value):
            route = route.replace(f"{{{name}}}", value)
    return route[:300]
