"""Tell from time to time what the shipper does, as an event like any other.

In: counters and the tail. Out: `shipper.status_reported` through the writer. Never: a metric kept anywhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

from logging_pkg.shipper.delivery import Counters

EVENT = "shipper.status_reported"
#: maxItems of `instances` in the schema; the rest waits for the next report.
_MAX_INSTANCES = 200


class StatusReporter:
    """Emits one report per interval.

    Args:
        emit: takes an event's name and fields.
        counters: read and reset at each report.
        interval_s: seconds between reports.
    """

    def __init__(self, emit: Callable[[str, Mapping[str, Any]], None], counters: Counters, interval_s: float) -> None:
        self._emit = emit
        self._counters = counters
        self._interval_s = interval_s
        self._last = time.monotonic()
        self._moved: dict[str, int] = {}

    @property
    def is_due(self) -> bool:
        """Whether the interval is over."""
        return time.monotonic() - self._last >= self._interval_s

    def moved(self, last_seqs: Mapping[str, int]) -> None:
        """Note how far instances have been shipped."""
        for instance_id, seq in last_seqs.items():
            self._moved[instance_id] = max(seq, self._moved.get(instance_id, 0))

    def report(self, *, backlog_bytes: int, oldest_unshipped_ns: int | None) -> None:
        """Emit what happened since the last report.

        Args:
            backlog_bytes: bytes not shipped yet.
            oldest_unshipped_ns: time of the oldest event not shipped yet; None when there is none.
        """
        now = time.monotonic()
        reported = dict(list(self._moved.items())[:_MAX_INSTANCES])
        lag_s = 0.0 if oldest_unshipped_ns is None else max(0.0, (time.time_ns() - oldest_unshipped_ns) / 1e9)
        document = {
            "shipper": "embedded",
            "interval_s": round(now - self._last, 3),
            **asdict(self._counters),
            "backlog_bytes": max(0, backlog_bytes),
            "lag_s": round(lag_s, 3),
            "instances": [{"instance_id": instance_id, "last_seq": seq} for instance_id, seq in reported.items()],
        }
        for item in fields(Counters):
            setattr(self._counters, item.name, 0)
        for instance_id in reported:
            del self._moved[instance_id]
        self._last = now
        self._emit(EVENT, document)
