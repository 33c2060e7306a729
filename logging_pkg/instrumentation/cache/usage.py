"""What the caches were used for outside requests, and what their stores hold.

In: what was counted; the stores. Out: `cache.usage_reported` per alias, every minute and when the process ends.
Never: runs in a request, opens a cache that nobody uses, waits long for a store that is down.
"""

from __future__ import annotations

import atexit
import os
import time

from logging_pkg import conf
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.cache.alias import AliasWatch, alias_watches
from logging_pkg.instrumentation.cache.stores import StoreUse
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.totals import CacheTotals

_TASK = "cache usage"
_NOTHING = CacheTotals()
_clock = time.monotonic
_reported: dict[str, float] = {}
_started = _clock()


def start_usage_reports() -> None:
    """Report every `cache_usage_interval_s` once the background thread runs, and at the end of the process. Idempotent.

    A command has no such thread: what it did is told when it ends.
    """
    background.every(_TASK, _interval_s, report_usage, may_block=True)
    atexit.unregister(report_rest)
    atexit.register(report_rest)


def stop_usage_reports() -> None:
    """Report no more. For tests and orderly ends."""
    background.cancel(_TASK)
    atexit.unregister(report_rest)


def report_usage() -> None:
    """Emit `cache.usage_reported` for each alias used so far."""
    for watch in alias_watches():
        if watch.backend is not None:
            _report(watch, _look(watch), *watch.take())


def report_rest() -> None:
    """Emit what was used since the last report, if anything was. The stores are not asked: this process is ending."""
    if not conf.settings().enabled or _interval_s() <= 0:
        return
    for watch in alias_watches():
        inside, outside = watch.take()
        if inside != _NOTHING or outside != _NOTHING:
            _report(watch, StoreUse(), inside, outside)


def _interval_s() -> float:
    return conf.settings().cache_usage_interval_s


def _look(watch: AliasWatch) -> StoreUse:
    try:
        return StoreUse() if watch.store is None else watch.store()
    except Exception:
        # An address or options that cannot work, a subclass that stores in a way of its own: not known is no fault.
        return StoreUse()


def _report(watch: AliasWatch, store: StoreUse, inside: CacheTotals, outside: CacheTotals) -> None:
    now = _clock()
    period = now - _reported.get(watch.alias, _started)
    _reported[watch.alias] = now
    evictions = watch.evictions if watch.counts_evictions else store.eviction_count
    backend = watch.backend or object
    emit_safely(
        "cache.usage_reported",
        {
            "alias": watch.label,
            "backend": f"{backend.__module__}.{backend.__qualname__}"[:200],
            "period_s": round(period, 3),
            "hit_count": outside.hits,
            "miss_count": outside.misses,
            "set_count": outside.sets,
            "delete_count": outside.deletes,
            "time_ms": milliseconds(outside.nanoseconds),
            "total_hit_count": inside.hits + outside.hits,
            "total_miss_count": inside.misses + outside.misses,
            "total_set_count": inside.sets + outside.sets,
            "total_delete_count": inside.deletes + outside.deletes,
            "total_time_ms": milliseconds(inside.nanoseconds + outside.nanoseconds),
            "key_count": store.key_count,
            "size_bytes": store.size_bytes,
            "max_size_bytes": store.max_size_bytes,
            "eviction_count": evictions,
        },
    )


def _after_fork() -> None:
    global _started
    _started = _clock()
    _reported.clear()


os.register_at_fork(after_in_child=_after_fork)
