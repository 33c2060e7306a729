"""Watch google-api-python-client below its own retries: one `google_api.call_finished` per HTTP attempt.

In: requests of the client (`requestBuilder=InstrumentedHttpRequest`, `http=InstrumentedHttp(...)`).
Out: events, correlation headers to allow-listed hosts. Never: changes a URL, a body, an answer or an exception.
"""

from __future__ import annotations

import errno
import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httplib2
from googleapiclient.http import HttpRequest

from logging_pkg import conf
from logging_pkg.context import Span, active, current_headers, start_span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals

#: Google's quota day starts at midnight Pacific time. Source: Calendar API, "Manage quotas".
_QUOTA_ZONE = ZoneInfo("America/Los_Angeles")
_REASON = re.compile(r"[A-Za-z0-9_]{1,64}")
_RATE_LIMIT_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
#: The connection was never made, so the server saw nothing.
_UNSENT_ERRORS = frozenset({errno.ECONNREFUSED, errno.ENETUNREACH, errno.EHOSTUNREACH})
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_account: ContextVar[object | None] = ContextVar("logging_pkg_google_account", default=None)
_call: ContextVar[_ApiCall | None] = ContextVar("logging_pkg_google_call", default=None)


@contextmanager
def google_account(account: object) -> Iterator[None]:
    """Say whose Google account the calls of a block are made for; events carry its keyed hash."""
    previous = _account.get()
    _account.set(account)
    try:
        yield
    finally:
        _account.set(previous)


class _ApiCall:
    """One logical call: its attempts share an api_call_id, the span_id of the first."""

    def __init__(self, operation: str, page: int | None) -> None:
        self.operation = operation
        self.page = page
        self.attempts = 0
        self.api_call_id: str | None = None
        self.retry_delay_s: float | None = None
        self._pending: tuple[dict[str, Any], Span] | None = None

    def start_attempt(self) -> Span:
        self.flush(None)
        self.attempts += 1
        span = start_span("api_call")
        if self.api_call_id is None:
            self.api_call_id = span.span_id
            return span
        ids = {**span.unit_ids, "api_call_id": self.api_call_id}
        return Span(span.correlation_id, span.span_id, span.parent_span_id, ids, span.totals)

    def hold(self, fields: dict[str, Any], span: Span) -> None:
        """Keep an attempt's event until the client has parsed the answer, so that items need no second parsing."""
        self.flush(None)
        self._pending = fields, span

    def flush(self, result: object) -> None:
        """Emit the attempt held back, with the number of items of a parsed listing."""
        if self._pending is None:
            return
        (fields, span), self._pending = self._pending, None
        items = result.get("items") if isinstance(result, dict) else None
        fields["item_count"] = len(items) if isinstance(items, list) else None
        emit_safely("google_api.call_finished", fields, span)


class InstrumentedHttpRequest(HttpRequest):  # type: ignore[misc]
    """googleapiclient's HttpRequest that knows which call its attempts belong to.

    Executing one object again is a further attempt of the same call; a copy for the next page is a new call.

    Attributes:
        retry_delay_s: what the caller waited before executing it again; goes into that attempt's event.
    """

    retry_delay_s: float | None = None
    _watched_call: _ApiCall | None = None
    _watched_uri: str | None = None

    def execute(self, http: Any = None, num_retries: int = 0) -> Any:
        """Execute the request as googleapiclient does; raises what it raises."""
        call = self._current_call()
        call.retry_delay_s, self.retry_delay_s = self.retry_delay_s, None
        previous = _call.get()
        _call.set(call)
        result = None
        try:
            result = super().execute(http=http, num_retries=num_retries)
            return result
        finally:
            _call.set(previous)
            call.flush(result)

    def _current_call(self) -> _ApiCall:
        call = self._watched_call
        if call is None or self._watched_uri != self.uri:
            page = call.page if call is not None else None
            call = _ApiCall(_operation_of(self.methodId), self._page_number(page))
            self._watched_call, self._watched_uri = call, self.uri
        return call

    def _page_number(self, previous: int | None) -> int | None:
        if not str(self.methodId).endswith(("list", "instances")):
            return None
        if "pageToken" in parse_qs(urlsplit(str(self.uri)).query):
            return (previous or 1) + 1
        return 1


class _Attempt:
    """One request on the wire, from its first byte to its answer or its end."""

    def __init__(self, call: _ApiCall, method: str, body: Any) -> None:
        self._call = call
        self._method = method
        self._body = body
        self.span = call.start_attempt()
        self._number = call.attempts
        self._started = time.perf_counter_ns()

    def finish(self, answer: Any, failure: BaseException | None) -> None:
        elapsed = time.perf_counter_ns() - self._started
        fields = _fields(self._call, self._number, self._method, self._body, answer, failure, elapsed)
        totals: Totals | None = self.span.totals
        if totals is not None:
            totals.add_api_attempt(elapsed, fields["quota_units"])
        self._call.hold(fields, self.span)

    def again(self, failure: BaseException) -> _Attempt:
        """End this one as failed; the same request goes out once more."""
        self.finish(None, failure)
        return _Attempt(self._call, self._method, self._body)


class InstrumentedHttp(httplib2.Http):  # type: ignore[misc]
    """httplib2.Http that emits one event per request it sends, at the level where retries are separate requests.

    httplib2 sends a request again by itself when a kept-alive connection turns out to be closed, even a POST the
    server may have acted on. Both are attempts. Like its base class it is for one thread at a time.
    """

    _attempt: _Attempt | None = None

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: Any = None,
        headers: Any = None,
        redirections: int = httplib2.DEFAULT_MAX_REDIRECTS,
        connection_type: Any = None,
    ) -> Any:
        """Make the request as httplib2 does; raises what it raises."""
        call = _call_for(uri, method)
        outer = self._attempt  # set while httplib2 follows a redirect
        self._attempt = first = _Attempt(call, method, body)
        answer: Any = None
        failure: BaseException | None = None
        try:
            with active(first.span):
                sent_headers = _with_correlation(uri, headers)
                answer = super().request(uri, method, body, sent_headers, redirections, connection_type)
            return answer
        except BaseException as error:
            failure = error
            raise
        finally:
            with faults_kept_in():
                self._attempt.finish(answer, failure)
            self._attempt = outer
            if _call.get() is not call:
                call.flush(None)

    def _conn_request(self, conn: Any, request_uri: str, method: str, body: Any, headers: Any) -> Any:
        """Send over one connection, as often as httplib2 sees fit; every failure but the last is told here."""
        failures: list[BaseException] = []

        def noting(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*args: Any, **kwargs: Any) -> Any:
                try:
                    return function(*args, **kwargs)
                except BaseException as error:
                    failures.append(error)
                    raise

            return call

        send = noting(conn.request)

        def send_again(*args: Any, **kwargs: Any) -> Any:
            if failures and self._attempt is not None:
                self._attempt = self._attempt.again(failures.pop())
            return send(*args, **kwargs)

        conn.request, conn.getresponse = send_again, noting(conn.getresponse)
        try:
            return super()._conn_request(conn, request_uri, method, body, headers)
        finally:
            del conn.request, conn.getresponse  # what is left are the class's own


def _call_for(uri: str, method: str) -> _ApiCall:
    """The running call, unless this is the client's own errand on the side: a token refresh."""
    call = _call.get()
    path = urlsplit(uri).path
    if path.endswith("/token"):
        return _ApiCall("oauth2.token", None)
    return call or _ApiCall(f"unlisted.{method.lower() if method in _METHODS else 'other'}", None)


def _operation_of(method_id: object) -> str:
    """`calendar.events.list` -> `events.list`."""
    name = str(method_id or "unlisted")
    return name.split(".", 1)[-1][:64] if "." in name else name[:64]


def _with_correlation(uri: str, headers: Any) -> Any:
    parts = urlsplit(uri)
    if not {parts.hostname, parts.netloc} & set(conf.settings().propagate_to_hosts):
        return headers
    return {**(headers or {}), **current_headers()}


def _fields(
    call: _ApiCall,
    number: int,
    method: str,
    body: Any,
    answer: Any,
    failure: BaseException | None,
    nanoseconds: int,
) -> dict[str, Any]:
    status: int | None = None
    content = b""
    if answer is not None:
        response, content = answer
        status = int(response.status)
    reason = _reason_of(content) if status is not None and status >= 400 else None
    outcome = "answered" if status is not None else "unsent" if _is_unsent(failure) else "unknown"
    delay = call.retry_delay_s if number > 1 else None
    call.retry_delay_s = None
    return {
        "operation": call.operation,
        "http_method": method if method in _METHODS else "OTHER",
        "attempt": number,
        "status_code": status,
        "status_class": f"{status // 100}xx" if status is not None else "none",
        "reason": reason,
        "outcome": outcome,
        "duration_ms": milliseconds(nanoseconds),
        "is_error": int(status is None or (status >= 400 and status != 410)),
        "is_rate_limited": int(status == 429 or (status == 403 and reason in _RATE_LIMIT_REASONS)),
        "request_size_bytes": len(body) if isinstance(body, str | bytes) else 0,
        "response_size_bytes": len(content),
        "page": call.page,
        "item_count": None,
        "quota_units": 0 if outcome == "unsent" or call.operation == "oauth2.token" else 1,
        "quota_day": datetime.now(_QUOTA_ZONE).date().isoformat(),
        "project": conf.settings().google_project,
        "account_hash": account_hash_of(_account.get()) if _account.get() is not None else None,
        "retry_delay_ms": round(delay * 1000, 3) if delay is not None else None,
        "error_type": error_type_of(failure) if failure is not None else None,
    }


def _reason_of(content: bytes) -> str:
    """Google's own reason out of an error body. Source: Calendar API, "Handle API errors"."""
    try:
        error = json.loads(content)["error"]
        reason = error["errors"][0]["reason"] if isinstance(error, dict) else error
    except (ValueError, LookupError, TypeError):
        return "unlisted"
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else "unlisted"


def _is_unsent(failure: BaseException | None) -> bool:
    if isinstance(failure, httplib2.ServerNotFoundError | socket.gaierror | ConnectionRefusedError):
        return True
    return isinstance(failure, OSError) and failure.errno in _UNSENT_ERRORS
