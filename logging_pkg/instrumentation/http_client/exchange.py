"""One HTTP exchange as a span and an event, whichever library makes it.

In: method, URL and sizes before it, status or exception after it. Out: `http_client.request_finished`.
Never: user info, a path, a query, a header or a body.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Literal
from urllib.parse import urlsplit

from logging_pkg.context import activate, active, is_unobserved, start_span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.http_client.hosts import host_name
from logging_pkg.instrumentation.http_client.propagation import headers_for
from logging_pkg.schemas.conventions import TRACEPARENT_HEADER

EVENT = "http_client.request_finished"

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_DEFAULT_PORTS = {"http": 80, "https": 443}
#: Of Loki, on whatever prefix. Source: Loki's HTTP API.
_PUSH_PATH = "/loki/api/v1/push"
#: A petabyte has 16.
_MAX_DIGITS = 18

_clock = time.perf_counter_ns


def begin(
    library: Literal["requests", "urllib"],
    method: str,
    url: str | bytes,
    headers: Iterable[str],
    size_bytes: int | None,
) -> Exchange | None:
    """Begin an exchange, or leave one out: of who is not observed, or a push of log lines (one more line).

    Args:
        library: what makes it.
        method: as the library was told.
        url: of the server asked, not of a proxy.
        headers: names of the caller's.
        size_bytes: of the request body, None where it is not known.
    """
    if is_unobserved():
        return None
    try:
        parts = urlsplit(url if isinstance(url, str) else str(url, "latin-1"))
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except (ValueError, TypeError, AttributeError):
        # The library will say so itself.
        return Exchange(library, method, None, None, headers, size_bytes)
    if parts.path.endswith(_PUSH_PATH):
        return None
    if scheme not in _DEFAULT_PORTS:
        return Exchange(library, method, None, port, headers, size_bytes)
    return Exchange(library, method, host, _DEFAULT_PORTS[scheme] if port is None else port, headers, size_bytes)


class Exchange:
    """One exchange; its span is current from here to `leave`.

    Attributes:
        added_headers: what the request is to carry besides the caller's headers.
    """

    __slots__ = ("_fields", "_previous", "_started", "added_headers", "span")

    def __init__(
        self,
        library: Literal["requests", "urllib"],
        method: str,
        host: str | None,
        port: int | None,
        headers: Iterable[str],
        size_bytes: int | None,
    ) -> None:
        self.span = start_span()
        self.added_headers: dict[str, str] = {}
        with active(self.span):
            told = headers_for(host, port)
        if told:
            own = {name.lower() for name in headers}
            self.added_headers = {name: value for name, value in told.items() if name.lower() not in own}
        self._fields: dict[str, Any] = {
            "library": library,
            "http_method": method if method in _METHODS else "OTHER",
            "host": host_name(host),
            "port": port,
            "request_size_bytes": size_bytes,
            "is_propagated": int(TRACEPARENT_HEADER in self.added_headers),
        }
        self._previous = activate(self.span)
        self._started = _clock()

    def answered(self, status: int, response_headers: Any) -> None:
        """The response's headers are there: emit the event."""
        elapsed = _clock() - self._started
        with faults_kept_in():
            self._emit(elapsed, "answered", status, whole_number(response_headers.get("Content-Length")), None)

    def failed(self, error: BaseException, *, is_unsent: bool) -> None:
        """The library has given up: emit the event."""
        elapsed = _clock() - self._started
        with faults_kept_in():
            self._emit(elapsed, "unsent" if is_unsent else "unknown", None, None, error_type_of(error))

    def leave(self) -> None:
        """Make the span current again that was."""
        activate(self._previous)

    def _emit(
        self, elapsed: int, outcome: str, status: int | None, size_bytes: int | None, error_type: str | None
    ) -> None:
        emit_safely(
            EVENT,
            {
                **self._fields,
                "status_code": status,
                "status_class": _class_of(status),
                "outcome": outcome,
                "duration_ms": milliseconds(elapsed),
                "response_size_bytes": size_bytes,
                "is_error": int(status is None or status >= 400),
                "error_type": error_type,
            },
            self.span,
        )


def whole_number(text: Any) -> int | None:
    """The value of a Content-Length header; None where there is none that can be meant."""
    digits = str(text)
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= _MAX_DIGITS else None


def _class_of(status: int | None) -> str:
    if status is None:
        return "none"
    return f"{status // 100}xx" if status < 600 else "other"
