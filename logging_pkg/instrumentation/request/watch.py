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
from functools import lru_cache
from ipaddress import ip_address, ip_network
from typing import Any

from logging_pkg.conf import Settings
from logging_pkg.context import (
    Span,
    current_unit,
    new_correlation_id,
    parse_correlation_id,
    parse_traceparent,
    start_root_span,
    start_span,
)
from logging_pkg.events.stacks import describe_exception
from logging_pkg.instrumentation.database.findings import report_n_plus_one, report_query_count
from logging_pkg.instrumentation.fields import NO_CACHE_FIELDS, cache_fields, database_fields, milliseconds
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.late_work import Ended, unattributed
from logging_pkg.instrumentation.request.watchdog import in_flight
from logging_pkg.instrumentation.totals import Totals

_STATUS_CLASSES = ("", "1xx", "2xx", "3xx", "4xx", "5xx")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_SAFE_VALUE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_clock = time.perf_counter_ns

#: Correlation ID and span ID of the caller in another process; the latter is known only from a `traceparent`.
RemoteParent = tuple[str | None, str | None]
NO_REMOTE_PARENT: RemoteParent = (None, None)


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
    #: Time between the proxy's taking the request and the middleware's, where a trusted proxy told it, ms.
    queue_ms: float | None = None
    _first_byte: int | None = None
    _overhead = 0

    def __init__(self, method: str, route: Callable[[], str], remote: RemoteParent = NO_REMOTE_PARENT) -> None:
        self.entered = _clock()
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
        is_slow = slow_ms is not None and elapsed_ms > slow_ms
        is_error = int(outcome == "server_error")
        route, totals, span = self.route(), self.totals, self.span
        if not totals.end(Ended(ended, self.method, route, outcome, span.without_totals())):
            return
        error = error or totals.error
        databases = database_fields(totals)
        api_time_ms = milliseconds(totals.api_nanoseconds) if totals.api_calls else 0.0
        if totals.has_repeated:
            report_n_plus_one(totals, span)
        if settings.query_count_threshold is not None and databases["query_count"] > settings.query_count_threshold:
            report_query_count(totals, span)
        if is_slow and totals.take_finding():
            emit_safely(
                "http.slow_request_detected",
                {
                    "method": self.method,
                    "route": route,
                    "response_time_ms": elapsed_ms,
                    "threshold_ms": slow_ms,
                    "query_count": databases["query_count"],
                    "query_time_ms": databases["query_time_ms"],
                    "api_time_ms": api_time_ms,
                },
                span,
            )
        fields: dict[str, Any] = {
            "method": self.method,
            "route": route,
            "path": path or route,
            "status_code": status,
            "status_class": _STATUS_CLASSES[status // 100],
            "outcome": outcome,
            "response_time_ms": elapsed_ms,
            "time_to_first_byte_ms": ((self._first_byte or ended) - self.entered + 500) // 1000 / 1000,
            "is_error": is_error,
            "is_slow": int(is_slow),
            "apdex": _apdex(elapsed_ms, settings.apdex_threshold_ms, is_error),
            **databases,
            "queries_unattributed": unattributed.query_count - self._unattributed,
            **(cache_fields(totals) if totals.caches else NO_CACHE_FIELDS),
            "api_call_count": totals.api_calls,
            "api_time_ms": api_time_ms,
            "user_id": user_id,
            "request_size_bytes": request_bytes,
            "response_size_bytes": response_bytes,
            "is_streaming": int(is_streaming),
            "is_htmx": int(is_htmx),
            "findings_dropped": totals.findings_dropped,
            "details_dropped": totals.details_dropped,
        }
        if self.queue_ms is not None:
            fields["queue_time_ms"] = self.queue_ms
        if error is not None:
            fields["error_type"], fields["error_stack"] = describe_exception(error)
        watching = totals.watching_nanoseconds(databases["query_count"])
        fields["instrumentation_us"] = (self._overhead + watching + _clock() - ended) // 100 / 10
        emit_safely("http.request_finished", fields, span)
        # Threads hold the span, the span the totals: what leads on from there would keep the request, its response and
        # the frames of its exception for as long.
        totals.error = None
        totals.route = lambda: route
        totals.run_deferred()


def remote_parent(headers: Callable[[str], str | None], peer: str, settings: Settings) -> RemoteParent:
    """What a trusted peer sent; anything else is as if it had not been sent.

    Args:
        headers: looks a request header up by its name.
        peer: address the request came from.
        settings: whom to trust, and the name of the header.
    """
    if not _is_trusted(peer, settings.trusted_correlation_sources):
        return NO_REMOTE_PARENT
    traceparent = parse_traceparent(headers("traceparent") or "")
    if traceparent is not None:
        return traceparent
    return parse_correlation_id(headers(settings.correlation_header or "X-Correlation-ID") or ""), None


@lru_cache(maxsize=1024)
def _is_trusted(peer: str, sources: tuple[str, ...]) -> bool:
    if "*" in sources:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False  # a Unix socket has no address; trust it with "*"
    # A server that listens on IPv6 for both reports an IPv4 peer as ::ffff:10.0.0.1.
    address = getattr(address, "ipv4_mapped", None) or address
    return any(address in ip_network(source) for source in sources)


def _apdex(elapsed_ms: float, threshold_ms: float, is_error: int) -> float:
    if is_error or elapsed_ms > 4 * threshold_ms:
        return 0
    return 1 if elapsed_ms <= threshold_ms else 0.5


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
