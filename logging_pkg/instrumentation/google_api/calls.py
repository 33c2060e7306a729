"""Which logical call an HTTP attempt belongs to, and for whose account it is made.

In: the start of calls and attempts. Out: spans of attempts, their events in order.
Never: parses a body; the number of items comes from what the client has parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from logging_pkg.context import Span, start_span
from logging_pkg.instrumentation.guard import emit_safely

EVENT = "google_api.call_finished"

_account: ContextVar[object | None] = ContextVar("logging_pkg_google_account", default=None)
_call: ContextVar[ApiCall | None] = ContextVar("logging_pkg_google_call", default=None)


@contextmanager
def google_account(account: object) -> Iterator[None]:
    """Say whose Google account the calls of a block are made for; events carry its keyed hash."""
    previous = _account.get()
    _account.set(account)
    try:
        yield
    finally:
        _account.set(previous)


def current_account() -> object | None:
    """The account of the running `google_account` block."""
    return _account.get()


class ApiCall:
    """One logical call: its attempts share an api_call_id, the span_id of the first.

    Attributes:
        operation: API method, e.g. `events.list`.
        page: number of the page asked for, None where it is no listing.
        attempts: HTTP attempts so far.
        retry_delay_s: what was waited before the next attempt because the last one failed, seconds.
        quota_delay_s: what was waited for the next attempt's turn under the caller's own quota, seconds.
    """

    __slots__ = ("_api_call_id", "_held", "attempts", "operation", "page", "quota_delay_s", "retry_delay_s")

    def __init__(self, operation: str, page: int | None = None) -> None:
        self.operation = operation
        self.page = page
        self.attempts = 0
        self.retry_delay_s: float | None = None
        self.quota_delay_s: float | None = None
        self._api_call_id: str | None = None
        self._held: tuple[dict[str, Any], Span] | None = None

    def start_attempt(self) -> Span:
        """The span of one more attempt, below the current unit."""
        self.flush(None)
        self.attempts += 1
        span = start_span("api_call")
        if self._api_call_id is None:
            self._api_call_id = span.span_id
            return span
        ids = {**span.unit_ids, "api_call_id": self._api_call_id}
        return Span(span.correlation_id, span.span_id, span.parent_span_id, ids, span.totals)

    def take_delays(self) -> tuple[float | None, float | None]:
        """What was waited before the attempt that starts now, seconds: as back-off, None on the first; for its turn."""
        retry_s, self.retry_delay_s = self.retry_delay_s, None
        quota_s, self.quota_delay_s = self.quota_delay_s, None
        return retry_s if self.attempts > 1 else None, quota_s

    def tell(self, fields: dict[str, Any], span: Span) -> None:
        """Emit an attempt's event; that of a success is kept until the client has parsed the answer.

        So items need no second parsing. A failure is not kept: its event's time must not include what is waited or
        done before the next attempt.
        """
        self.flush(None)
        self._held = fields, span
        if fields["is_error"] or fields["status_class"] != "2xx":
            self.flush(None)

    def flush(self, result: object) -> None:
        """Emit the event that is kept, with the number of items of a parsed listing."""
        if self._held is None:
            return
        (fields, span), self._held = self._held, None
        items = result.get("items") if isinstance(result, dict) else None
        fields["item_count"] = len(items) if isinstance(items, list) else None
        emit_safely(EVENT, fields, span)


def running_call() -> ApiCall | None:
    """The call whose `execute` is running."""
    return _call.get()


@contextmanager
def running(call: ApiCall) -> Iterator[None]:
    """Attempts made within the block are this call's, but for the client's errands on the side."""
    previous = _call.get()
    _call.set(call)
    try:
        yield
    finally:
        _call.set(previous)
