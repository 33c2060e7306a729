"""The package's own entries in a project's caches, and locks made of them.

In: an alias of CACHES. Out: what is stored there; who holds a lock, over all processes that share the cache.
Never: counts as use of the cache, or its queries as anybody's; a lock that a crashed holder keeps for ever, or that
another than its holder opens.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.cache import caches
from django.core.cache.backends.filebased import FileBasedCache

from logging_pkg.context import Span, active, current_span
from logging_pkg.exceptions import LogpipeError
from logging_pkg.instrumentation.cache.calls import CacheCall, running
from logging_pkg.instrumentation.totals import Totals

#: Share of its time after which a holder no longer deletes the lock, but lets it run out: between the look at whose
#: it is and the delete it must not become another's.
_SAFE_SHARE = 0.9
#: Beside the files of a FileBasedCache, whose own `clear` and culling look at *.djcache only.
_FILE_LOCK_NAME = ".logging_pkg.lock"


class CacheError(LogpipeError):
    """The project's cache raised: it is away, full, or not in CACHES. `__cause__` is what it raised."""


class QuietCache:
    """One of Django's caches, used without being counted, from any thread. What it raises comes as CacheError."""

    def __init__(self, alias: str) -> None:
        self.alias = alias

    def get(self, key: str) -> Any:
        """What is stored, or None."""
        with self._uncounted() as backend:
            return backend.get(key)

    def set(self, key: str, value: Any, timeout_s: float | None) -> None:
        """Store a value; None never expires."""
        # Redis and Memcached take whole seconds, and 0 for "not at all".
        with self._uncounted() as backend:
            backend.set(key, value, None if timeout_s is None else max(1, int(timeout_s + 0.999)))

    def has_key(self, key: str, version: int | None) -> bool:
        """Whether a key is there, whatever its value."""
        with self._uncounted() as backend:
            return bool(backend.has_key(key, version=version))

    def made_key(self, key: str, version: int | None) -> str:
        """A key as the backend stores it, with prefix and version."""
        with self._uncounted() as backend:
            return str(backend.make_key(key, version=version))

    @contextmanager
    def alone(self) -> Iterator[Any]:
        """Give the backend for a look and a write that are to be one step, where the backend cannot do that.

        `add` is atomic in memory, Redis, Memcached and the database. Django's file backend looks first and writes
        then, so two processes may both be told that they were first: there a lock of the operating system keeps them
        apart, which ends with its process.
        """
        with self._uncounted() as backend:
            if not isinstance(backend, FileBasedCache):
                yield backend
                return
            directory: str = backend._dir  # type: ignore[attr-defined]
            os.makedirs(directory, mode=0o700, exist_ok=True)
            descriptor = os.open(os.path.join(directory, _FILE_LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield backend
            finally:
                os.close(descriptor)

    @contextmanager
    def _uncounted(self) -> Iterator[Any]:
        """The backend of this thread, as within a call that somebody else made; queries of a database are nobody's."""
        span, previous = current_span(), running.get()
        running.set(CacheCall(self.alias, (), {}, None))
        try:
            with active(
                Span(
                    span.correlation_id,
                    span.span_id,
                    span.parent_span_id,
                    span.unit_ids,
                    Totals(),
                    is_unit=span.is_unit,
                )
            ):
                yield caches[self.alias]
        except Exception as error:
            raise CacheError(f'the cache "{self.alias}" failed: {type(error).__name__}') from error
        finally:
            running.set(previous)


class CacheLock:
    """A lock kept as an entry of the cache, whose value is its holder's token.

    Args:
        cache: one in local memory locks within its process only.
        name: key of the entry.
        timeout_s: after this it is free again, unless renewed: a crashed holder keeps others out no longer.
    """

    def __init__(self, cache: QuietCache, name: str, timeout_s: float) -> None:
        self._cache = cache
        self._name = name
        self._timeout_s = timeout_s
        self._token = uuid.uuid4().hex
        self._since = 0.0

    def acquire(self) -> bool:
        """Take it if it is free; never waits."""
        since = time.monotonic()
        with self._cache.alone() as backend:
            taken = bool(backend.add(self._name, self._token, self._timeout_s))
        if taken:
            self._since = since
        return taken

    def renew(self) -> bool:
        """Keep it for another `timeout_s`, once a third of the last one is over; False when it is lost."""
        now = time.monotonic()
        if now - self._since < self._timeout_s / 3:
            return True
        with self._cache.alone() as backend:
            if not self._is_mine(backend):
                return False
            # Not `touch`: the file backend's writes in place, under the eyes of those who read.
            backend.set(self._name, self._token, self._timeout_s)
        self._since = now
        return True

    def release(self) -> None:
        """Give it back. What ran out, or is another's by now, is left alone."""
        with self._cache.alone() as backend:
            if self._is_mine(backend):
                backend.delete(self._name)

    def _is_mine(self, backend: Any) -> bool:
        held_for = time.monotonic() - self._since
        return held_for < self._timeout_s * _SAFE_SHARE and backend.get(self._name) == self._token
