"""Count and time what is done with every Django cache.

In: the backends that Django's `caches` creates. Out: each of them, watched.
Never: a backend that nobody asked for; a change of its class, or of what it does.
"""

from __future__ import annotations

import functools
from typing import Any

from django.core.cache import caches

from logging_pkg.instrumentation.cache.alias import alias_watch, register_read_listener
from logging_pkg.instrumentation.cache.shadows import put_shadows
from logging_pkg.instrumentation.cache.stores import store_of
from logging_pkg.instrumentation.guard import faults_kept_in

__all__ = ["alias_watch", "register_read_listener", "watch_caches"]


def watch_caches() -> None:
    """Watch every backend, those open now and those created later, in every thread and task. Idempotent."""
    if getattr(caches.create_connection, "is_watched", False):
        return
    create = vars(caches).get("create_connection")

    @functools.wraps(caches.create_connection)
    def create_connection(alias: str) -> Any:
        # Looked up at each call: other tools wrap the class's method, before or after.
        backend = create(alias) if create is not None else type(caches).create_connection(caches, alias)
        with faults_kept_in():
            _watch_backend(alias, backend)
        return backend

    create_connection.is_watched = True  # type: ignore[attr-defined]
    caches.create_connection = create_connection  # type: ignore[method-assign]
    for alias in caches:
        if hasattr(caches._connections, alias):  # type: ignore[attr-defined]
            with faults_kept_in():
                _watch_backend(alias, caches[alias])


def _watch_backend(alias: str, backend: Any) -> None:
    watch = alias_watch(alias)
    if put_shadows(watch, backend):
        watch.backend = type(backend)
        watch.counts_evictions = "_cull" in watch.shadows[type(backend)]
        watch.store = store_of(backend)
