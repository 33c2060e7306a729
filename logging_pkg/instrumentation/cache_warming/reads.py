"""Whether warming was of use: how many warmed keys were read before they expired, over all processes.

In: hits, as they happen (one dictionary entry per key and interval); the manifests of the warmers, in the background.
Out: `cache.warmed_keys_read`, whose counts add up to the keys of a run that were ever read.
Never: looks anything up within a request, counts a key of a run twice, tells a key.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from contextlib import suppress
from typing import Any

from django.db import connections

from logging_pkg import conf
from logging_pkg.instrumentation import background
from logging_pkg.instrumentation.cache.watch import register_read_listener
from logging_pkg.instrumentation.cache_warming.manifest import HOLD_S, Manifest, key_hash
from logging_pkg.instrumentation.cache_warming.quiet_cache import CacheError, CacheLock, QuietCache
from logging_pkg.instrumentation.cache_warming.warmers import registered
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in

#: Different keys remembered from one look to the next, per cache alias; hits on others are counted as overlooked.
MAX_KEYS = 10_000
#: Keys known to be read are merged by one process at a time; it takes milliseconds, and a dead one this long, s.
_LOCK_TIMEOUT_S = 30.0
_LOCK_WAIT_S = 5.0

_clock = time.time


class AliasReads:
    """The hits of this process on one cache, and which of them were on warmed keys."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        #: Key and version -> when it was first and last read since the last look.
        self._hits: dict[tuple[str, int | None], tuple[float, float]] = {}
        self._overlooked = 0
        #: The same by hash. Kept for a while: a run may publish what it has warmed a little later than it is read.
        self._recent: dict[str, tuple[float, float]] = {}
        self._manifests: dict[str, Manifest] = {}
        #: Run -> hashes of its keys that some process has told of.
        self._told: dict[str, set[str]] = {}

    def __call__(self, key: str, version: int | None) -> None:
        """Remember a hit. Runs within the application's own call."""
        now = _clock()
        place = str(key), version
        known = self._hits.get(place)
        if known is not None:
            self._hits[place] = known[0], now
        elif len(self._hits) < MAX_KEYS:
            self._hits[place] = now, now
        else:
            self._overlooked += 1

    def look(self) -> None:
        """Tell of the warmed keys that were read since the last look, and that nobody has told of yet.

        Raises:
            CacheError: the cache is away; the next look tells.
        """
        try:
            self._look(QuietCache(self._alias))
        finally:
            oldest = _clock() - HOLD_S
            self._recent = {digest: times for digest, times in self._recent.items() if times[1] >= oldest}

    def _look(self, cache: QuietCache) -> None:
        self._gather(cache)
        runs = set()
        for one in registered():
            if one.alias != self._alias or not self._recent:
                continue
            manifest = self._manifests.setdefault(one.name, Manifest(cache, one.name))
            manifest.load()
            runs |= manifest.runs()
            for run, digests in self._read(manifest).items():
                self._tell(cache, one.name, run, digests, manifest)
        self._told = {run: told for run, told in self._told.items() if run in runs or not self._recent}

    def forget(self) -> None:
        """Drop what was read so far: it is the parent process's to tell of."""
        self._hits.clear()
        self._recent.clear()
        self._overlooked = 0

    def _gather(self, cache: QuietCache) -> None:
        """Move the hits over, one by one: another thread may add some meanwhile, and none is lost."""
        for _ in range(len(self._hits)):
            (key, version), (first, last) = self._hits.popitem()
            digest = key_hash(cache, key, version)
            known = self._recent.get(digest, (first, last))
            self._recent[digest] = min(first, known[0]), max(last, known[1])

    def _read(self, manifest: Manifest) -> dict[str, set[str]]:
        """Run -> hashes of its keys that were read while its work was in the cache."""
        found: dict[str, set[str]] = {}
        for digest, (first, last) in self._recent.items():
            for run, since, end in manifest.leases(digest):
                if since <= last and first < end and digest not in self._told.get(run, ()):
                    found.setdefault(run, set()).add(digest)
        return found

    def _tell(self, cache: QuietCache, warmer: str, run: str, digests: set[str], manifest: Manifest) -> None:
        """Claim keys for this process and emit their number. Without the lock the next look tries again."""
        lock = CacheLock(cache, f"logging_pkg.reads.{warmer}.lock", _LOCK_TIMEOUT_S)
        if not _wait_for(lock):
            return
        name = f"logging_pkg.reads.{run}"
        try:
            told = set(cache.get(name) or ())
            new = digests - told
            if new:
                end = manifest.end_of(run)
                # Longer than any process remembers the run.
                timeout = None if end is None else max(0.0, end - _clock()) + 2 * HOLD_S
                cache.set(name, sorted(told | new), timeout)
        finally:
            lock.release()
        self._told[run] = told | new
        if not new:
            return
        overlooked, self._overlooked = self._overlooked, 0
        fields: dict[str, Any] = {
            "warmer": warmer,
            "alias": self._alias,
            "warm_run_id": run,
            "read_count": len(new),
            "read_total_count": len(told | new),
            "warmed_count": manifest.warmed_by(run),
            "overlooked_count": overlooked,
        }
        emit_safely("cache.warmed_keys_read", fields)


def _wait_for(lock: CacheLock) -> bool:
    deadline = time.monotonic() + _LOCK_WAIT_S
    while not lock.acquire():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


_aliases: dict[str, AliasReads] = {}
_looking = threading.Lock()


def follow_warmed_keys() -> None:
    """Follow the reads of every cache that a registered warmer warms. Idempotent; needs `background.start`."""
    for alias in {one.alias for one in registered()} - _aliases.keys():
        _aliases[alias] = AliasReads(alias)
        register_read_listener(alias, _aliases[alias])
    if _aliases:
        background.every("warmed cache keys", _interval, _look_and_close, may_block=True)


def look_at_reads() -> None:
    """Tell now what was read; at the end of a process what would be lost with it.

    Not where another thread is looking: it may be waiting for a cache that does not answer, and the process's end is
    not to wait with it.
    """
    if not _looking.acquire(blocking=False):
        return
    try:
        for reads in list(_aliases.values()):
            # A cache that is away is no fault of ours; what was read is looked up the next time.
            with faults_kept_in(), suppress(CacheError):
                reads.look()
    finally:
        _looking.release()


def _interval() -> float:
    return conf.settings().heartbeat_interval_s


def _look_and_close() -> None:
    """In a thread of its own, whose connections (of a cache in the database) end with it."""
    follow_warmed_keys()
    try:
        look_at_reads()
    finally:
        connections.close_all()


def _forget() -> None:
    global _looking
    _looking = threading.Lock()
    for reads in _aliases.values():
        reads.forget()


atexit.register(look_at_reads)
os.register_at_fork(after_in_child=_forget)
