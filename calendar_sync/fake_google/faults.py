"""Faults on demand: errors, dropped connections and latency for the next requests that match.

In: faults queued or rates set through `/_control/`, then each request as far as faults look at it.
Out: for a request, how long to wait and which fault it meets.
Never: a fault of its own accord.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from calendar_sync.fake_google import errors
from calendar_sync.fake_google.fault_rates import Draws, FaultRates
from calendar_sync.fake_google.messages import ApiError

# Refused before anything is counted.
REFUSALS = ("rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "tooManyRequests", "authError")
# Counted as one request, nothing done.
ERRORS = ("serverError", "notFound", "conflict", "fullSyncRequired", "updatedMinTooLongAgo", "preconditionFailed")
# drop: the connection closes and nothing was done. drop_after: the work is done, then it closes without an answer.
# stale: all is answered, then the kept-alive connection closes unannounced; the client finds out with its next request.
CONNECTION = ("drop", "drop_after", "stale")
KINDS = REFUSALS + ERRORS + CONNECTION


@dataclass(frozen=True)
class Target:
    """A request as faults see it. `scope` is `single`, `batch` for a batch as a whole, `part` for one request in it."""

    operation: str
    account: str | None
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    scope: str = "single"


# What a request must be for an answer of this kind to be one that Google gives.
_NEEDS: dict[str, Callable[[Target], bool]] = {
    "conflict": lambda target: target.scope == "part",
    "fullSyncRequired": lambda target: "syncToken" in target.query,
    "updatedMinTooLongAgo": lambda target: "updatedMin" in target.query,
    "preconditionFailed": lambda target: "if-match" in target.headers,
}


@dataclass(frozen=True)
class Fault:
    """`count` requests that match `operation` and `account` (None: any) meet this.

    `conflict` waits for a request in a batch, `fullSyncRequired` for a sync token, `updatedMinTooLongAgo` for
    `updatedMin`, `preconditionFailed` for `If-Match`. Without an operation a fault leaves `oauth2.*` alone, and a batch
    as a whole unless it is about the connection; one about the connection never meets a single request in a batch.

    `status` is for `serverError` (500-599). `retry_after_s` adds the Retry-After header, in seconds, to any error.
    """

    kind: str
    count: int = 1
    operation: str | None = None
    account: str | None = None
    status: int = 503
    retry_after_s: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"fault kind {self.kind!r}: expected one of {', '.join(KINDS)}")
        if not 500 <= self.status <= 599:
            raise ValueError(f"fault status {self.status}: expected 500 to 599")
        if self.count < 1:
            raise ValueError(f"fault count {self.count}: expected 1 or more")

    def meets(self, target: Target) -> bool:
        """Whether a request is one this fault waits for."""
        if self.account not in {None, target.account} or self.operation not in {None, target.operation}:
            return False
        if self.operation is None and target.operation.startswith("oauth2."):
            return False
        is_connection = self.kind in CONNECTION
        if (target.scope == "part" and is_connection) or (
            target.scope == "batch" and self.operation is None and not is_connection
        ):
            return False
        return self.kind not in _NEEDS or _NEEDS[self.kind](target)

    def error(self) -> ApiError:
        """The answer of a fault that answers."""
        error = self._error()
        if self.retry_after_s is not None:
            error.headers["Retry-After"] = f"{self.retry_after_s:g}"
        return error

    def _error(self) -> ApiError:
        if self.kind == "serverError":
            return errors.backend_error(self.status)
        if self.kind == "tooManyRequests":
            return errors.rate_limited(429, "rateLimitExceeded")
        others: dict[str, Callable[[], ApiError]] = {
            "authError": errors.invalid_credentials,
            "notFound": errors.not_found,
            "conflict": errors.conflict,
            "fullSyncRequired": errors.full_sync_required,
            "updatedMinTooLongAgo": errors.updated_min_too_long_ago,
            "preconditionFailed": errors.precondition_failed,
        }
        return others[self.kind]() if self.kind in others else errors.rate_limited(403, self.kind)


class Faults:
    """The queued faults, the fault rates, and the latency by operation. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []
        self._latency_ms: dict[str | None, float] = {}
        self._draws = Draws(FaultRates())

    @property
    def rates(self) -> FaultRates:
        """The rates in force; they are empty when there are none."""
        return self._draws.rates

    def add(self, fault: Fault) -> None:
        """Queue a fault behind those that are there."""
        with self._lock:
            self._queue.append(fault)

    def set_rates(self, rates: FaultRates) -> None:
        """Let requests meet faults at random from now on; empty rates end it. Raises ValueError for an unknown kind."""
        for kind in rates.rates:
            Fault(kind, status=rates.status)
        with self._lock:
            self._draws = Draws(rates)

    def set_latency(self, latency_ms: float, operation: str | None = None) -> None:
        """Make every request (or those of one operation) wait, in ms, before it is looked at."""
        with self._lock:
            self._latency_ms[operation] = latency_ms

    def clear(self) -> None:
        """Forget every fault, rate and latency."""
        with self._lock:
            self._queue.clear()
            self._latency_ms.clear()
            self._draws = Draws(FaultRates())

    def latency_ms(self, operation: str) -> float:
        """What a request of this operation waits, in ms."""
        with self._lock:
            return self._latency_ms.get(operation, self._latency_ms.get(None, 0.0))

    def next_for(self, target: Target) -> Fault | None:
        """The first queued fault that matches, used up by one; else what the rates draw for this request."""
        with self._lock:
            # Every request draws, whatever is queued: the sequence then depends on the seed alone.
            kind = None if target.operation.startswith("oauth2.") else self._draws.next()
            for index, fault in enumerate(self._queue):
                if fault.meets(target):
                    if fault.count == 1:
                        del self._queue[index]
                    else:
                        self._queue[index] = replace(fault, count=fault.count - 1)
                    return fault
            if kind is None:
                return None
            drawn = Fault(kind, status=self.rates.status, retry_after_s=self.rates.retry_after_s)
            return drawn if drawn.meets(target) else None

    def pending(self) -> int:
        """Requests that will still meet a queued fault."""
        with self._lock:
            return sum(fault.count for fault in self._queue)
