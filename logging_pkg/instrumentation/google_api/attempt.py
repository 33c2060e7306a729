"""One HTTP attempt, from connecting or sending to its whole answer or its end, as an event.

In: what the transport sees of it. Out: `google_api.call_finished`, the unit's totals.
Never: keeps an exception, a URL, a body or a header.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from logging_pkg import conf
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.google_api.batch import SentParts, answered_parts
from logging_pkg.instrumentation.google_api.calls import ApiCall, current_account
from logging_pkg.instrumentation.google_api.errors import reason_of
from logging_pkg.instrumentation.google_api.quota import Outcome, is_rate_limited, quota_day, units_of
from logging_pkg.instrumentation.identity import account_hash_of
from logging_pkg.instrumentation.totals import Totals

TOKEN_OPERATION = "oauth2.token"  # noqa: S105  (a name)
BATCH_OPERATION = "batch"

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})

_clock = time.perf_counter_ns


@dataclass(frozen=True, slots=True)
class Outbound:
    """What is about to be sent, as far as its events tell of it. `parts` of a batch."""

    method: str
    size_bytes: int
    parts: SentParts | None = None


class Attempt:
    """One HTTP request, sent at most once.

    Attributes:
        span: its own; on the wire in `traceparent`.
        is_sent: whether its first byte was handed to a connection.
        is_stale: whether the server had closed that connection before: then it cannot have seen it.
        status: of the answer, as soon as that has begun.
        has_failed: whether it has ended without an answer.
    """

    __slots__ = (
        "_call",
        "_elapsed",
        "_error_type",
        "_number",
        "_outbound",
        "_quota_delay_s",
        "_retry_delay_s",
        "_started",
        "_time",
        "is_sent",
        "is_stale",
        "span",
        "status",
    )

    def __init__(self, call: ApiCall, outbound: Outbound) -> None:
        self._call = call
        self._outbound = outbound
        self.span = call.start_attempt()
        self._number = call.attempts
        self._retry_delay_s, self._quota_delay_s = call.take_delays()
        self.is_sent = self.is_stale = False
        self.status: int | None = None
        self._error_type: str | None = None
        self._elapsed: int | None = None
        self._time = time.time()
        self._started = _clock()

    @property
    def has_failed(self) -> bool:
        """Whether it has ended without an answer."""
        return self._error_type is not None

    def fail(self, error: BaseException) -> None:
        """It has ended. Said again, of an exception that took its place, the time stays that of the first."""
        self._error_type = error_type_of(error)
        if self._elapsed is None:
            self._elapsed = _clock() - self._started

    def answer(self, headers: Mapping[str, Any], content: bytes) -> None:
        """It has ended with an answer: emit its event."""
        self._error_type = None
        self._elapsed = _clock() - self._started
        self._emit("answered", str(headers.get("content-type", "")), content)

    def end(self) -> None:
        """It has ended without one: emit its event."""
        self._emit("unknown" if self.is_sent and not self.is_stale else "unsent", "", b"")

    def _emit(self, outcome: Outcome, content_type: str, content: bytes) -> None:
        settings = conf.settings()
        status, parts = self.status, self._outbound.parts
        elapsed = self._elapsed or 0
        is_answered = outcome == "answered"
        reason = reason_of(content) if is_answered and status is not None and status >= 400 else None
        answered = answered_parts(content_type, content) if is_answered and parts is not None else None
        if self._call.operation == TOKEN_OPERATION:
            units = 0
        elif parts is None:
            units = units_of(outcome, status, reason)
        else:
            refused = answered.refused if answered is not None else 0
            units = units_of(outcome, status, reason, parts=parts.count, refused_parts=refused)
        day = quota_day(self._time)
        account = current_account()
        totals: Totals | None = self.span.totals
        if totals is not None:
            totals.add_api_attempt(elapsed, units)
        self._call.tell(
            {
                "operation": self._call.operation,
                "http_method": self._outbound.method if self._outbound.method in METHODS else "OTHER",
                "attempt": self._number,
                "status_code": status,
                "status_class": f"{status // 100}xx" if status is not None else "none",
                "reason": reason,
                "outcome": outcome,
                "duration_ms": milliseconds(elapsed),
                "is_error": int(not is_answered or status is None or (status >= 400 and status != 410)),
                "is_rate_limited": int(
                    is_rate_limited(status, reason) or (answered is not None and answered.rate_limited > 0)
                ),
                "request_size_bytes": self._outbound.size_bytes,
                "response_size_bytes": len(content),
                "page": self._call.page,
                "item_count": None,
                "part_count": parts.count if parts is not None else None,
                "part_error_count": answered.errors if answered is not None else None,
                "quota_units": units,
                "quota_day": day.date,
                "quota_day_left_s": day.left_s(self._time),
                "quota_minute_limit": settings.google_quota_per_minute,
                "quota_user_minute_limit": settings.google_quota_per_user_minute,
                "quota_day_limit": settings.google_quota_per_day,
                "project": settings.google_project,
                "account_hash": account_hash_of(account) if account is not None else None,
                "retry_delay_ms": _milliseconds(self._retry_delay_s),
                "quota_delay_ms": _milliseconds(self._quota_delay_s),
                "error_type": self._error_type,
            },
            self.span,
        )


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 3)
