"""What the server saw: one entry per API request, the control requests left out.

In: each request when it is done.
Out: entries in the order they were finished, for tests and reconciliation.
Never: bodies, query values or tokens.
"""

from __future__ import annotations

import re
import threading
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

CAPACITY = 200_000

# version-trace_id-parent_id-flags; version ff and IDs of zeros are invalid. Source: W3C Trace Context, 3.2.
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True)
class Entry:
    """One request seen.

    Attributes:
        time_ns: the arrival, since the epoch.
        status: None where the connection was dropped without an answer.
        account: None where it is not known, or where a batch speaks for several.
        quota_units: 1 where the request got past authentication and the usage limits; of a batch, the sum of its parts.
        item_count: items of a listing; None otherwise.
        headers: the correlation headers as they came: `traceparent` and all that begin with `x-`.
        correlation_id: the trace ID of a valid `traceparent`, 32 hexadecimal digits.
        attempt_id: the span that made the request: the parent ID of a valid `traceparent`, 16 hexadecimal digits.
        part_count: requests in a batch; None otherwise.
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
    correlation_id: str | None = None
    attempt_id: str | None = None
    part_count: int | None = None


def trace_ids(headers: Mapping[str, str]) -> tuple[str | None, str | None]:
    """The correlation ID and the attempt ID of the headers (names in lower case); None twice without valid ones."""
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return (match[1], match[2]) if match else (None, None)


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
            # Numbers have no gaps: what to leave out is counted, not looked for.
            known = max(0, len(self._entries) - max(0, self._last - number))
            return list(islice(self._entries, known, None))

    def summary(self) -> dict[str, Any]:
        """Counts by operation and by status."""
        entries = [entry for _, entry in self.since()]
        return {
            "requests": len(entries),
            "quota_units": sum(entry.quota_units for entry in entries),
            "by_operation": dict(Counter(entry.operation for entry in entries)),
            "by_status": dict(Counter(str(entry.status) for entry in entries)),
        }
