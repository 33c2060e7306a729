"""What belongs to no running unit: what a request does after its event, and queries that ran outside every unit.

In: counts from any thread. Out: numbers for `http.orphaned_work_detected` and `queries_unattributed`.
Never: emits, holds a span (that one holds the totals), grows without bound.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from logging_pkg.context import SpanIds

_clock = time.perf_counter_ns


@dataclass(slots=True)
class LateWork:
    """What a request did after its event was written."""

    first: int
    last: int = 0
    queries: int = 0
    query_nanoseconds: int = 0
    commits: int = 0
    rollbacks: int = 0
    cache_operations: int = 0
    cache_nanoseconds: int = 0
    api_calls: int = 0
    api_nanoseconds: int = 0


class Ended(SpanIds):
    """A finished request, as far as its late work and records logged after it have to tell of it.

    Attributes:
        at: when it ended, nanoseconds.
        method: its HTTP method.
        route: its route template.
        outcome: its outcome.
    """

    __slots__ = ("at", "method", "outcome", "route")

    def __init__(self, at: int, method: str, route: str, outcome: str, span: SpanIds) -> None:
        self.at = at
        self.method = method
        self.route = route
        self.outcome = outcome
        # Not the span: that leads to the totals, and by them to much else.
        self.correlation_id = span.correlation_id
        self.fragment = span.fragment


class Unattributed:
    """Queries that ran outside every unit: in threads that lost their context, at start-up, in commands."""

    def __init__(self) -> None:
        # Re-entrant: a signal handler's or finaliser's query may come while one is being counted.
        self._lock = threading.RLock()
        self.query_count = 0

    def add_queries(self, count: int = 1) -> None:
        """Count some more."""
        with self._lock:
            self.query_count += count


#: Of this process, since its start.
unattributed = Unattributed()
#: By the totals of finished requests, until the watchdog tells of it.
late_work: dict[Accounted, LateWork] = {}
#: Finished requests whose late work is kept apart at one time; the queries of further ones count as unattributed.
MAX_LATE = 1_000


class Accounted:
    """A unit whose work is its own until its event is written, and late from then on."""

    #: Set once the unit's event is about to be written: from then on everything counts as late.
    ended: Ended | None

    #: Re-entrant: a signal handler, or a finaliser that the garbage collector runs, may use the same unit in there.
    _lock: threading.RLock

    def _complete(self) -> None:
        """With the lock held: bring the totals up to date for the last time."""

    def take_late_work(self) -> LateWork | None:
        """What came after the end and has not been taken yet."""
        with self._lock:
            return late_work.pop(self, None)

    def end(self, ended: Ended) -> bool:
        """The unit's event is about to be written: what comes now is late, and these totals change no more.

        False where the unit has ended before.
        """
        with self._lock:
            if self.ended is not None:
                return False
            self.ended = ended
            self._complete()
            return True

    def _late(self) -> LateWork | None:
        """With the lock held: where work that comes after the end is counted; None where there is too much of it."""
        now = _clock()
        late = late_work.get(self)
        if late is None:
            if len(late_work) >= MAX_LATE:
                return None
            late = late_work[self] = LateWork(now)
        late.last = now
        return late
