"""Faults on demand: errors, dropped connections and latency for the next requests that match.

In: faults queued through `/_control/faults`, then each request's operation and account.
Out: for a request, how long to wait and which fault it meets.
Never: a fault of its own accord.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace

from calendar_sync.fake_google.messages import ApiError, rate_limited

# drop: the connection closes and nothing was done. drop_after: the work is done, then it closes without an answer.
KINDS = (
    "rateLimitExceeded",
    "userRateLimitExceeded",
    "quotaExceeded",
    "tooManyRequests",
    "serverError",
    "drop",
    "drop_after",
)


@dataclass(frozen=True)
class Fault:
    """`count` requests that match `operation` and `account` (None: any) meet this.

    `status` is for `serverError` (500-599). `retry_after_s` adds the Retry-After header, in seconds.
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

    def error(self) -> ApiError:
        """The answer of a fault that answers."""
        if self.kind == "serverError":
            headers = {} if self.retry_after_s is None else {"Retry-After": f"{self.retry_after_s:g}"}
            return ApiError(self.status, "backendError", "Backend Error", headers=headers)
        if self.kind == "tooManyRequests":
            return rate_limited(429, "rateLimitExceeded", self.retry_after_s)
        return rate_limited(403, self.kind, self.retry_after_s)


class Faults:
    """The queued faults and the latency, by operation. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queue: list[Fault] = []
        self._latency_ms: dict[str | None, float] = {}

    def add(self, fault: Fault) -> None:
        """Queue a fault behind those that are there."""
        with self._lock:
            self._queue.append(fault)

    def set_latency(self, latency_ms: float, operation: str | None = None) -> None:
        """Make every request (or those of one operation) wait, in ms, before it is looked at."""
        with self._lock:
            self._latency_ms[operation] = latency_ms

    def clear(self) -> None:
        """Forget every fault and latency."""
        with self._lock:
            self._queue.clear()
            self._latency_ms.clear()

    def latency_ms(self, operation: str) -> float:
        """What a request of this operation waits, in ms."""
        with self._lock:
            return self._latency_ms.get(operation, self._latency_ms.get(None, 0.0))

    def next_for(self, operation: str, account_id: str | None) -> Fault | None:
        """The first queued fault that matches, used up by one."""
        with self._lock:
            for index, fault in enumerate(self._queue):
                if fault.operation in {None, operation} and fault.account in {None, account_id}:
                    if fault.count == 1:
                        del self._queue[index]
                    else:
                        self._queue[index] = replace(fault, count=fault.count - 1)
                    return fault
        return None

    def pending(self) -> int:
        """Requests that will still meet a fault."""
        with self._lock:
            return sum(fault.count for fault in self._queue)
