"""What the garbage collector does, and how long everything stands still for it.

In: gc.get_stats and gc.callbacks. Out: differences since the last look. Never: starts, stops or tunes a collection.
"""

from __future__ import annotations

import gc
import time
from typing import Any

_GENERATIONS = 3
_clock = time.perf_counter_ns


class CollectionWatch:
    """Counts from when it is made. Its callback takes no lock: a collection may begin anywhere, inside any lock."""

    def __init__(self) -> None:
        self._started = 0
        self._pause = 0
        self._longest = 0
        self._before = _totals()

    def install(self) -> None:
        """Time collections from now on. Idempotent."""
        if self._on_collection not in gc.callbacks:
            gc.callbacks.append(self._on_collection)

    def remove(self) -> None:
        """Time no more. Idempotent."""
        if self._on_collection in gc.callbacks:
            gc.callbacks.remove(self._on_collection)

    def take(self) -> dict[str, Any]:
        """Return the fields of what happened since the last call."""
        totals, before = _totals(), self._before
        self._before = totals
        pause, longest = self._pause, self._longest
        self._pause -= pause  # not = 0: a collection may have ended in between
        self._longest = 0
        since = [max(0, now - then) for now, then in zip(totals, before, strict=True)]
        fields: dict[str, Any] = {
            "gc_gen0_count": since[0],
            "gc_gen1_count": since[1],
            "gc_gen2_count": since[2],
            "gc_collected_count": since[3],
            "gc_uncollectable_count": since[4],
        }
        if self._on_collection in gc.callbacks:
            fields["gc_pause_ms"] = round(pause / 1e6, 3)
            fields["gc_max_pause_ms"] = round(longest / 1e6, 3)
        return fields

    def _on_collection(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._started = _clock()
        elif self._started:
            took = _clock() - self._started
            self._started = 0
            self._pause += took
            self._longest = max(self._longest, took)


def _totals() -> list[int]:
    stats = gc.get_stats()[:_GENERATIONS]
    return [
        *(one["collections"] for one in stats),
        sum(one["collected"] for one in stats),
        sum(one["uncollectable"] for one in stats),
    ]
