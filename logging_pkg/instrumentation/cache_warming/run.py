"""Fill caches before somebody waits for it: `warm_caches()`.

In: registered warmers, budgets of time and Google API quota. Out: warm caches, one `cache.warm_finished` per warmer.
Never: two runs of one warmer at once over all processes; one item's failure in the way of the others; an exception.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.core.cache import caches
from django.db import connections

from logging_pkg.context import Span, active, new_correlation, start_span
from logging_pkg.events.stacks import error_type_of
from logging_pkg.instrumentation.cache_warming.manifest import Manifest, key_hash
from logging_pkg.instrumentation.cache_warming.quiet_cache import CacheError, CacheLock, QuietCache
from logging_pkg.instrumentation.cache_warming.warmers import DEFAULT_TIMEOUT, Warmer, WarmItem, registered
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.totals import Totals

#: A run that died keeps the next one out for this long, s. It is renewed from item to item; an item that takes longer
#: loses it, and the run then stops.
LOCK_TIMEOUT_S = 120.0

Trigger = Literal["command", "code"]
Outcome = Literal["finished", "budget_exhausted", "locked", "lock_lost", "failed"]


@dataclass(slots=True)
class WarmReport:
    """What became of one warmer's keys: each is warmed, fresh, skipped (a budget or the lock was gone) or failed."""

    warmer: str
    alias: str
    run_id: str = ""
    outcome: Outcome = "finished"
    warmed: int = 0
    fresh: int = 0
    skipped: int = 0
    failed: int = 0
    error_type: str | None = None

    @property
    def total(self) -> int:
        """Keys the warmer told."""
        return self.warmed + self.fresh + self.skipped + self.failed


@dataclass(frozen=True, slots=True)
class _Budgets:
    """Of a whole call of `warm_caches`."""

    totals: Totals
    deadline: float
    quota_units: float

    def allows(self, quota_units: int) -> bool:
        """Whether an item that takes so much quota may begin now."""
        return time.monotonic() < self.deadline and self.totals.quota_units + quota_units <= self.quota_units


def warm_caches(
    names: Sequence[str] = (),
    *,
    time_budget_s: float | None = None,
    quota_budget: int | None = None,
    force: bool = False,
    trigger: Trigger = "code",
) -> list[WarmReport]:
    """Run warmers, in the order of their priority, as a cause of its own; returns a report of each.

    Not within a transaction: it would warm what may be rolled back, and hide the lock of a cache in the database.

    Args:
        names: of the warmers; all without any.
        time_budget_s: no item begins after so many seconds, all warmers together. One that has begun is not stopped.
        quota_budget: Google API quota units for all warmers together. An item that would pass it is left out.
        force: compute fresh keys, too.
        trigger: what set it off, for the event.

    Raises:
        ConfigurationError: a name is not known. Whatever else goes wrong is in the reports.
    """
    chosen = registered(names)
    budgets = _Budgets(
        Totals(),
        time.monotonic() + (float("inf") if time_budget_s is None else time_budget_s),
        float("inf") if quota_budget is None else quota_budget,
    )
    with new_correlation():
        return [_Run(one, budgets, force, trigger).run() for one in chosen]


def warm_caches_in_background(names: Sequence[str] = (), **options: Any) -> threading.Thread:
    """`warm_caches` in a daemon thread, for the start of a server process; closes the thread's connections."""

    def work() -> None:
        try:
            warm_caches(names, **options)
        finally:
            connections.close_all()

    thread = threading.Thread(target=work, name="logging_pkg cache warming", daemon=True)
    thread.start()
    return thread


def preview(names: Sequence[str] = (), *, force: bool = False) -> list[WarmReport]:
    """What `warm_caches` would do, without doing it: `skipped` counts the keys it would compute."""
    reports = []
    for one in registered(names):
        report = WarmReport(one.name, one.alias)
        cache = QuietCache(one.alias)
        manifest = Manifest(cache, one.name)
        manifest.load()
        for item in one.items():
            if not force and _is_fresh(one, manifest, cache, item):
                report.fresh += 1
            else:
                report.skipped += 1
        reports.append(report)
    return reports


def _is_fresh(one: Warmer, manifest: Manifest, cache: QuietCache, item: WarmItem) -> bool:
    """Whether a key is there and not about to expire; `has_key` does not mind what its value is."""
    digest = key_hash(cache, item.key, item.version)
    return manifest.is_fresh(digest, one.refresh_share) and cache.has_key(item.key, item.version)


class _Run:
    """One run of one warmer, a unit of work of its own."""

    def __init__(self, one: Warmer, budgets: _Budgets, force: bool, trigger: Trigger) -> None:
        self._warmer = one
        self._budgets = budgets
        self._force = force
        self._trigger = trigger
        self._totals = Totals(parent=budgets.totals)
        self._span: Span = start_span(totals=self._totals)
        self._largest_quota = 0
        self._report = WarmReport(one.name, one.alias, self._span.span_id)

    def run(self) -> WarmReport:
        started = time.perf_counter_ns()
        try:
            with active(self._span):
                self._run_locked()
        except Exception as error:
            self._fail(error)
        except BaseException as error:
            # The process is being stopped: not ours to swallow, but the run is told of.
            self._fail(error)
            raise
        finally:
            with faults_kept_in():
                emit_safely("cache.warm_finished", self._fields(started), self._span)
        return self._report

    def _run_locked(self) -> None:
        cache = QuietCache(self._warmer.alias)
        lock = CacheLock(cache, f"logging_pkg.warming.{self._warmer.name}", LOCK_TIMEOUT_S)
        if not lock.acquire():
            self._report.outcome = "locked"
            return
        try:
            self._warm(cache, lock)
        finally:
            lock.release()

    def _warm(self, cache: QuietCache, lock: CacheLock) -> None:
        report = self._report
        manifest = Manifest(cache, self._warmer.name)
        manifest.load()
        items = list(self._warmer.items())
        report.skipped = len(items)
        try:
            for item in items:
                if not self._force and _is_fresh(self._warmer, manifest, cache, item):
                    report.fresh += 1
                elif not self._budgets.allows(self._largest_quota if item.quota_units is None else item.quota_units):
                    report.outcome = "budget_exhausted"
                    continue
                elif not lock.renew():
                    report.outcome = "lock_lost"
                    return
                else:
                    self._warm_item(cache, manifest, item)
                    if lock.renew():
                        manifest.publish_if_due()
                report.skipped -= 1
        finally:
            # Without the lock the manifest is another run's, which knows nothing of these keys: they only go uncounted.
            if lock.renew():
                manifest.publish()
        if report.failed:
            report.outcome = "failed"

    def _warm_item(self, cache: QuietCache, manifest: Manifest, item: WarmItem) -> None:
        quota_before = self._totals.quota_units
        try:
            value = item.compute()
            backend = caches[self._warmer.alias]
            timeout = self._timeout(item, backend.default_timeout)
            # Taken before the write: whoever reads the key from now on reads this run's work.
            warmed_at = time.time()
            backend.set(item.key, value, timeout, version=item.version)
        except Exception as error:
            self._report.failed += 1
            self._report.error_type = self._report.error_type or error_type_of(error)
        else:
            self._report.warmed += 1
            manifest.note(key_hash(cache, item.key, item.version), self._span.span_id, warmed_at, timeout)
        finally:
            self._largest_quota = max(self._largest_quota, self._totals.quota_units - quota_before)

    def _timeout(self, item: WarmItem, default_s: float | None) -> float | None:
        timeout = default_s if item.timeout is DEFAULT_TIMEOUT else item.timeout
        if timeout is None:
            return None
        if timeout <= 0:
            raise ValueError(f"warmer {self._warmer.name}: the timeout of a key is {timeout!r}, expected more than 0")
        shortened = float(timeout) * (1 - random.uniform(0, self._warmer.timeout_jitter))
        # Redis and Memcached take whole seconds, and 0 for "not at all".
        return max(shortened, min(float(timeout), 1.0))

    def _fail(self, error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error, CacheError) else None
        self._report.outcome = "failed"
        self._report.error_type = self._report.error_type or error_type_of(cause or error)

    def _fields(self, started: int) -> dict[str, Any]:
        report = self._report
        return {
            "warmer": report.warmer,
            "alias": report.alias,
            "warm_run_id": report.run_id,
            "trigger": self._trigger,
            "outcome": report.outcome,
            "is_success": int(report.outcome != "failed"),
            "duration_ms": milliseconds(time.perf_counter_ns() - started),
            "key_count": report.total,
            "warmed_count": report.warmed,
            "fresh_count": report.fresh,
            "skipped_count": report.skipped,
            "failed_count": report.failed,
            "query_count": self._totals.query_count,
            "query_time_ms": milliseconds(self._totals.query_nanoseconds),
            "api_call_count": self._totals.api_calls,
            "quota_units": self._totals.quota_units,
            "error_type": report.error_type,
        }
