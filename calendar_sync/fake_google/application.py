"""The server without its sockets: routing, authentication, faults, usage limits, and the ledger around each operation.

In: a parsed request.
Out: a response, or None where the connection is to be dropped; one ledger entry per API request.
Never: HTTP parsing, threads of its own.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from urllib.parse import unquote

from calendar_sync.fake_google import operations
from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.faults import Faults
from calendar_sync.fake_google.ledger import Entry, Ledger, trace_ids
from calendar_sync.fake_google.messages import ApiError, Request, Response, not_found
from calendar_sync.fake_google.quota import Quota, QuotaLimits
from calendar_sync.fake_google.seed import SeedOptions, seeded_store
from calendar_sync.fake_google.store import Account

DEFAULT_PROJECT = "calendar-sync-dev"

_CALENDAR_LIST = re.compile(r"/calendar/v3/users/me/calendarList")
_EVENTS = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events")
_EVENT = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events/(?P<eventId>[^/]+)")

_ROUTES: tuple[tuple[str, re.Pattern[str], str, operations.Operation], ...] = (
    ("GET", _CALENDAR_LIST, "calendarList.list", operations.list_calendars),
    ("GET", _EVENTS, "events.list", operations.list_events),
    ("POST", _EVENTS, "events.insert", operations.insert_event),
    ("GET", _EVENT, "events.get", operations.get_event),
    ("PATCH", _EVENT, "events.patch", operations.patch_event),
    ("PUT", _EVENT, "events.update", operations.update_event),
    ("DELETE", _EVENT, "events.delete", operations.delete_event),
)


@dataclass
class _Progress:
    """What is known of a request so far; ends up in its ledger entry."""

    account: Account | None = None
    quota_units: int = 0


class FakeGoogle:
    """The whole server but for HTTP. Thread-safe; `reset` seeds it afresh."""

    def __init__(
        self, seed: SeedOptions | None = None, limits: QuotaLimits | None = None, clock: Clock | None = None
    ) -> None:
        self.seed = seed or SeedOptions()
        self.clock = clock or Clock()
        self.store = seeded_store(self.seed)
        self.quota = Quota(limits or QuotaLimits(), self.clock)
        self.faults = Faults()
        self.ledger = Ledger()

    def reset(self) -> None:
        """Seed the data again and forget faults, usage and the ledger; all sync tokens given out so far expire."""
        self.store = seeded_store(self.seed)
        self.quota = Quota(self.quota.limits, self.clock)
        self.faults.clear()
        self.ledger.clear()

    def handle(self, request: Request) -> Response | None:
        """Answer one API request; None means: close the connection without an answer."""
        arrived_ns, started = time.time_ns(), time.perf_counter()
        name, operation, path = _route(request)
        latency_ms = self.faults.latency_ms(name)
        if latency_ms:
            time.sleep(latency_ms / 1000)
        progress = _Progress()
        reason: str | None = None
        response: Response | None
        try:
            response = self._answer(request, name, operation, path, progress)
        except ApiError as error:
            response, reason = error.response(), error.reason
        body = response.body if response is not None else None
        items = body.get("items") if isinstance(body, dict) else None
        correlation_id, attempt_id = trace_ids(request.headers)
        self.ledger.add(
            Entry(
                time_ns=arrived_ns,
                method=request.method,
                operation=name,
                status=response.status if response is not None else None,
                reason=reason,
                account=progress.account.id if progress.account else None,
                project=_project(request),
                quota_units=progress.quota_units,
                duration_ms=round((time.perf_counter() - started) * 1000, 3),
                item_count=len(items) if isinstance(items, list) else None,
                headers={
                    key: value for key, value in request.headers.items() if key == "traceparent" or key[:2] == "x-"
                },
                correlation_id=correlation_id,
                attempt_id=attempt_id,
            )
        )
        return response

    def _answer(
        self,
        request: Request,
        name: str,
        operation: operations.Operation | None,
        path: dict[str, str],
        progress: _Progress,
    ) -> Response | None:
        if operation is None:
            raise not_found()
        account = self._authenticate(request)
        progress.account = account
        fault = self.faults.next_for(name, account.id)
        if fault is not None and fault.kind not in {"drop", "drop_after", "serverError"}:
            raise fault.error()
        self.quota.take(_project(request), account.id)
        progress.quota_units = 1
        if fault is not None and fault.kind == "drop":
            return None
        if fault is not None and fault.kind == "serverError":
            raise fault.error()
        with self.store.lock:
            response = operation(operations.Call(self.store, account, request, path))
        return None if fault is not None else response

    def _authenticate(self, request: Request) -> Account:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        account = self.store.account_for_token(token) if scheme.lower() == "bearer" else None
        if account is None:
            raise ApiError(
                401,
                "authError",
                "Invalid Credentials",
                location="Authorization",
                location_type="header",
                headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
            )
        return account


def _route(request: Request) -> tuple[str, operations.Operation | None, dict[str, str]]:
    for method, pattern, name, operation in _ROUTES:
        match = pattern.fullmatch(request.path) if method == request.method else None
        if match is not None:
            return name, operation, {key: unquote(value) for key, value in match.groupdict().items()}
    return "unknown", None, {}


def _project(request: Request) -> str:
    return request.headers.get("x-goog-user-project", DEFAULT_PROJECT)
