"""The server without its sockets: routing, authentication, faults, usage limits, and the ledger around each operation.

In: a parsed request.
Out: a response, or None where the connection is to be dropped; one ledger entry per API request.
Never: HTTP parsing; no thread of its own but the one that delivers notifications.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from calendar_sync.fake_google import batch, oauth, routes
from calendar_sync.fake_google.call import Call
from calendar_sync.fake_google.channels import Channels
from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.errors import invalid_credentials, not_found
from calendar_sync.fake_google.faults import CONNECTION, REFUSALS, Fault, Faults, Target
from calendar_sync.fake_google.grants import LIFETIME_S, Grants
from calendar_sync.fake_google.ledger import Entry, Ledger, trace_ids
from calendar_sync.fake_google.messages import ApiError, Request, Response
from calendar_sync.fake_google.quota import Quota, QuotaLimits
from calendar_sync.fake_google.records import Account
from calendar_sync.fake_google.seed import SeedOptions, seeded_store

DEFAULT_PROJECT = "calendar-sync-dev"


@dataclass
class _Progress:
    """What is known of a request so far; ends up in its ledger entry. `fault` is the one about its connection."""

    account: Account | None = None
    quota_units: int = 0
    fault: Fault | None = None
    part_count: int | None = None


class FakeGoogle:
    """The whole server but for HTTP. Thread-safe; `reset` seeds it afresh."""

    def __init__(
        self,
        seed: SeedOptions | None = None,
        limits: QuotaLimits | None = None,
        clock: Clock | None = None,
        *,
        token_lifetime_s: float = LIFETIME_S,
    ) -> None:
        self.seed = seed or SeedOptions()
        self.clock = clock or Clock()
        self.store = seeded_store(self.seed, self.clock)
        self.grants = Grants(self.store.accounts.values(), self.clock, token_lifetime_s)
        self.quota = Quota(limits or QuotaLimits(), self.clock)
        self.channels = Channels(self.clock)
        self.faults = Faults()
        self.ledger = Ledger()
        self.store.on_change = self.channels.notify

    def reset(self) -> None:
        """Seed the data again; forget faults, usage, issued tokens, channels and ledger; all sync tokens expire."""
        self.channels.clear()
        self.store = seeded_store(self.seed, self.clock)
        self.store.on_change = self.channels.notify
        self.grants = Grants(self.store.accounts.values(), self.clock, self.grants.lifetime_s)
        self.quota = Quota(self.quota.limits, self.clock)
        self.faults.clear()
        self.ledger.clear()

    def close(self) -> None:
        """End what runs in the background: the delivery of notifications, and with it every channel."""
        self.channels.clear()

    def handle(self, request: Request) -> Response | None:
        """Answer one API request; None means: close the connection without an answer."""
        arrived_ns, started = time.time_ns(), time.perf_counter()
        route = routes.find(request)
        latency_ms = self.faults.latency_ms(route.name)
        if latency_ms:
            time.sleep(latency_ms / 1000)
        progress = _Progress()
        reason: str | None = None
        response: Response | None
        try:
            response = self._answer(request, route, progress)
        except ApiError as error:
            response, reason = error.response(), error.reason
        if progress.fault is not None:
            if progress.fault.kind == "stale" and response is not None:
                response = replace(response, closes_connection=True)
            else:
                response = reason = None
        body = response.body if response is not None else None
        items = body.get("items") if isinstance(body, dict) else None
        correlation_id, attempt_id = trace_ids(request.headers)
        self.ledger.add(
            Entry(
                time_ns=arrived_ns,
                method=request.method,
                operation=route.name,
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
                part_count=progress.part_count,
            )
        )
        return response

    def _answer(self, request: Request, route: routes.Route, progress: _Progress) -> Response | None:
        if route.name == routes.BATCH:
            return self._batch(request, progress)
        if route.name in {routes.TOKEN, routes.REVOKE}:
            return self._oauth(request, route, progress)
        return self._call(request, route, progress)

    def _call(
        self,
        request: Request,
        route: routes.Route,
        progress: _Progress,
        *,
        scope: str = "single",
        performs: bool = True,
    ) -> Response | None:
        """Admit one request and perform it; without `performs` it is admitted and counted only."""
        if route.operation is None:
            raise not_found()
        account = progress.account = self._authenticate(request)
        target = Target(route.name, account.id, request.query, request.headers, scope)
        fault = self.faults.next_for(target) if performs else None
        if fault is not None and fault.kind in REFUSALS:
            raise fault.error()
        self.quota.take(_project(request), request.query.get("quotaUser") or account.id)
        progress.quota_units += 1
        if fault is not None:
            if fault.kind not in CONNECTION:
                raise fault.error()
            progress.fault = fault
        if not performs or (fault is not None and fault.kind == "drop"):
            return None
        with self.store.lock:
            return route.operation(Call(self.store, account, request, route.path, self.channels))

    def _batch(self, request: Request, progress: _Progress) -> Response:
        """Each part is authenticated, counted and answered on its own; the connection is the batch's."""
        parts = batch.parse(request)
        progress.part_count = len(parts)
        largest = self.quota.limits.parts_per_batch
        if largest is not None and len(parts) > largest:
            message = f"The batch has {len(parts)} requests; at most {largest} are allowed."
            raise ApiError(400, "badRequest", message)
        accounts = {account.id: account for part in parts if (account := self._account(part.request)) is not None}
        progress.account = next(iter(accounts.values())) if len(accounts) == 1 else None
        account_id = progress.account.id if progress.account else None
        fault = self.faults.next_for(Target(routes.BATCH, account_id, request.query, request.headers, "batch"))
        if fault is not None and fault.kind in REFUSALS:
            raise fault.error()
        performs = fault is None or fault.kind in {"drop_after", "stale"}
        answers = [(part, self._part(part.request, progress, performs=performs)) for part in parts]
        if fault is not None:
            if fault.kind not in CONNECTION:
                raise fault.error()
            progress.fault = fault
        return batch.answer(answers)

    def _part(self, request: Request, progress: _Progress, *, performs: bool) -> Response:
        own = _Progress()
        try:
            response = self._call(request, routes.find(request), own, scope="part", performs=performs)
        except ApiError as error:
            response = error.response()
        progress.quota_units += own.quota_units
        return response or Response(204)

    def _oauth(self, request: Request, route: routes.Route, progress: _Progress) -> Response | None:
        account = progress.account = oauth.account_of(request, self.grants)
        fault = self.faults.next_for(Target(route.name, account.id if account else None))
        if fault is not None:
            if fault.kind not in CONNECTION:
                raise oauth.OAuthError.like(fault.error())
            progress.fault = fault
            if fault.kind == "drop":
                return None
        return (oauth.token if route.name == routes.TOKEN else oauth.revoke)(request, self.grants)

    def _account(self, request: Request) -> Account | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return self.grants.account_for(token) if scheme.lower() == "bearer" else None

    def _authenticate(self, request: Request) -> Account:
        account = self._account(request)
        if account is None:
            raise invalid_credentials()
        return account


def _project(request: Request) -> str:
    return request.headers.get("x-goog-user-project", DEFAULT_PROJECT)
