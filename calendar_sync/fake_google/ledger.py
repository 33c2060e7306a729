"""What the server saw: one entry per API request, the control requests left out.

In: each request when it is done.
Out: entries in the order they were finished, for tests and reconciliation.
Never: bodies, query values or tokens.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import Any

CAPACITY = 200_000


@dataclass(frozen=True)
class Entry:
    """One request seen. `time_ns` is the arrival, since the epoch. `status` is None where the connection was dropped.

    `quota_units` is 1 where the request got past the usage limits. `headers` are the correlation headers as they came:
    `traceparent` and all that begin with `x-`.
    """

    time_ns: int
    method: str
    operation: str
    status: int | None
    reason: str | None
    account: str | None
    project: str
    quota_units: int
    duration_ms: float
    item_count: int | None
    headers: dict[str, str]


class Ledger:
    """The newest CAPACITY entries, numbered from 1; what fell out is counted. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[tuple[int, Entry]] = deque(maxlen=CAPACITY)
        self._last = 0

    def add(self, entry: Entry) -> None:
        """Append an entry under the next number."""
        with self._lock:
            self._last += 1
            self._entries.append((self._last, entry))

    def clear(self) -> None:
        """Forget every entry; numbering goes on."""
        with self._lock:
            self._entries.clear()

    def since(self, number: int = 0) -> list[tuple[int, Entry]]:
        """Entries numbered above `number`."""
        with self._lock:
            return [numbered for numbered in self._entries if numbered[0] > number]

    def summary(self) -> dict[str, Any]:
        """Counts by operation and by status."""
        entries = [entry for _, entry in self.since()]
        return {
            "requests": len(entries),
            "quota_units": sum(entry.quota_units for entry in entries),
            "by_operation": dict(Counter(entry.operation for entry in entries)),
            "by_status": dict(Counter(str(entry.status) for entry in entries)),
        }
