"""What this process does with each cache alias, and who is told of it.

In: counts of cache operations. Out: what was used since the last look, within and outside units of work.
Never: a look at a cache.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from logging_pkg.instrumentation.cache.stores import Store
from logging_pkg.instrumentation.totals import CacheTotals

#: Told of each key whose value was handed out, and the version it was asked for (None: the backend's own).
ReadListener = Callable[[str, int | None], None]


class AliasWatch:
    """What this process does with one cache alias."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        #: The alias as events tell it, which bound its length.
        self.label = alias[:64]
        # Re-entrant: a signal handler, or a finaliser that the garbage collector runs, may use the same cache in here.
        self.lock = threading.RLock()
        self.on_read: ReadListener | None = None
        #: Use since it was last taken: within units of work, which tell of it themselves, and outside.
        self.inside = CacheTotals()
        self.outside = CacheTotals()
        #: Keys that local memory made room with, so far; of other stores the process does not know.
        self.evictions = 0
        self.counts_evictions = False
        #: Class of the backend created last, and what tells how much its store holds.
        self.backend: type | None = None
        self.store: Store | None = None
        #: Class of a backend -> what stands before its methods.
        self.shadows: dict[type, dict[str, Any]] = {}

    def take(self) -> tuple[CacheTotals, CacheTotals]:
        """Use within and outside units since the last call."""
        with self.lock:
            taken = self.inside, self.outside
            self.inside, self.outside = CacheTotals(), CacheTotals()
        return taken


_watches: dict[str, AliasWatch] = {}
_watches_lock = threading.RLock()


def alias_watch(alias: str) -> AliasWatch:
    """The watch of an alias, made when it is first asked for."""
    watch = _watches.get(alias)
    if watch is None:
        with _watches_lock:
            watch = _watches.setdefault(alias, AliasWatch(alias))
    return watch


def alias_watches() -> list[AliasWatch]:
    """Those of the aliases used so far."""
    return list(_watches.values())


def register_read_listener(alias: str, listener: ReadListener | None) -> None:
    """Have a callable told of every hit of `get`, `get_many` and `get_or_set` of an alias; None ends it.

    It runs within the caller's operation, in the caller's thread: it has to be quick, and what it does with this
    cache is not counted. Its exceptions do not reach the caller (strict mode aside).

    Args:
        alias: key of CACHES.
        listener: takes the key as the caller gave it, and the version asked for (None: the backend's own).
    """
    alias_watch(alias).on_read = listener


def _forget() -> None:
    """A forked child starts from nothing: what was used before is its parent's to report."""
    global _watches_lock
    _watches_lock = threading.RLock()
    for watch in _watches.values():
        watch.lock = threading.RLock()
        watch.evictions = 0
        watch.take()


os.register_at_fork(after_in_child=_forget)
