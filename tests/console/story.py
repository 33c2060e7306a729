"""Events as a real site writes them: requests, a sync that fails, a page with an N+1.

In: a service name, a time. Out: lines. Never: an ID that two stories share.
"""

from __future__ import annotations

import itertools
from typing import Any

from logging_pkg.context import new_correlation_id, new_span_id
from tests.pipeline.events import line

SECOND = 1_000_000_000
FINGERPRINT = 'SELECT "calendar"."id" FROM "calendar" WHERE "calendar"."account_id" = ?'


class Story:
    """Lines of one service, from `now_ns` backwards.

    Attributes:
        failed_sync, n_plus_one: correlation IDs.
    """

    def __init__(self, service: str, now_ns: int) -> None:
        self.service = service
        self._now_ns = now_ns
        self._ages = itertools.count(2)
        self.failed_sync, self.failed_sync_id, self.failed_call_id = self._cause(), new_span_id(), new_span_id()
        self.n_plus_one = self._cause()
        self.lines = [*self._requests(), *self._failed_sync(), *self._n_plus_one()]

    def _cause(self) -> str:
        """A correlation ID from before the first line: its time tells a search where to look."""
        milliseconds = self._now_ns // 1_000_000 - 60_000
        return f"{milliseconds:012x}{new_correlation_id()[12:]}"

    def _line(self, event: str, **fields: Any) -> dict[str, Any]:
        return line(event, self.service, self._now_ns - next(self._ages) * SECOND, **fields)

    def _requests(self) -> list[dict[str, Any]]:
        made = []
        for number in range(20):
            span = new_span_id()
            made.append(
                self._line(
                    "http.request_finished",
                    correlation_id=self._cause(),
                    span_id=span,
                    request_id=span,
                    parent_span_id=None,
                    level="info",
                    route="/dashboard/",
                    path="/dashboard/",
                    method="GET",
                    status_code=200,
                    is_error=0,
                    is_slow=0,
                    response_time_ms=100.0 + number,
                    query_count=3,
                    error_type=None,
                )
            )
        return made

    def _failed_sync(self) -> list[dict[str, Any]]:
        ids = {"correlation_id": self.failed_sync, "sync_id": self.failed_sync_id}
        # The attempt ends a second before its run does.
        run = self._line(
            "sync.run_finished",
            **ids,
            span_id=self.failed_sync_id,
            parent_span_id=None,
            level="error",
            resource="events",
            kind="full",
            outcome="failed",
            is_success=0,
            duration_ms=1500.0,
            query_count=0,
            query_time_ms=0.0,
            error_type="calendar_sync.google.errors.BackendError",
        )
        call = self._line(
            "google_api.call_finished",
            **ids,
            api_call_id=self.failed_call_id,
            span_id=self.failed_call_id,
            parent_span_id=self.failed_sync_id,
            level="warning",
            operation="events.list",
            status_code=500,
            reason="backendError",
            is_error=1,
            duration_ms=200.0,
            retry_delay_ms=0.0,
            quota_delay_ms=0.0,
        )
        return [run, call]

    def _n_plus_one(self) -> list[dict[str, Any]]:
        span = new_span_id()
        ids = {"correlation_id": self.n_plus_one, "span_id": span, "request_id": span, "parent_span_id": None}
        route = "/reports/n-plus-one/"
        return [
            self._line(
                "db.n_plus_one_detected",
                **ids,
                level="warning",
                route=route,
                fingerprint=FINGERPRINT,
                count=50,
                total_ms=90.0,
                caller="views.py:88",
            ),
            self._line(
                "http.request_finished",
                **ids,
                level="info",
                route=route,
                path=route,
                method="GET",
                status_code=200,
                is_error=0,
                response_time_ms=140.0,
                query_count=53,
                error_type=None,
            ),
        ]
