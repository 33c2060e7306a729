"""How much the store behind a cache holds: keys, bytes, evictions, for the backends that can tell it cheaply.

In: a backend of Django's own kinds. Out: a function that looks. Never: a query, a use of the application's own
connection, a look at a key or value, a wait of more than seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache

#: Entries looked at to sum up their sizes, while others wait for the lock; a store with more has `size_bytes` unknown.
MAX_ENTRIES = 10_000
#: For each answer of Redis, s.
TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class StoreUse:
    """What a store holds; None where it is not known."""

    key_count: int | None = None
    size_bytes: int | None = None
    max_size_bytes: int | None = None
    eviction_count: int | None = None


Store = Callable[[], StoreUse]


def store_of(backend: Any) -> Store | None:
    """What tells of a backend's store without the backend; None where there is no cheap way (a database, others).

    What it returns may raise where a project's subclass stores in a way of its own, or its address cannot work.
    """
    parts = vars(backend)
    match backend:
        case LocMemCache() if {"_cache", "_lock"} <= parts.keys():
            return partial(_local_memory, parts["_cache"], parts["_lock"])
        case FileBasedCache() if "_dir" in parts:
            return partial(_files, parts["_dir"], backend.cache_suffix)
        case RedisCache() if {"_class", "_servers", "_options"} <= parts.keys():
            return partial(_redis, parts["_class"], parts["_servers"], parts["_options"])
    return None


def _local_memory(entries: Any, lock: Any) -> StoreUse:
    if not lock.acquire(timeout=TIMEOUT_S):
        return StoreUse()
    try:
        count = len(entries)
        size = sum(map(len, entries.values())) if count <= MAX_ENTRIES else None
    finally:
        lock.release()
    return StoreUse(key_count=count, size_bytes=size)


def _files(directory: str, suffix: str) -> StoreUse:
    count = size = 0
    try:
        with os.scandir(directory) as entries:
            for number, entry in enumerate(entries):
                if number >= MAX_ENTRIES:
                    return StoreUse()
                if entry.name.endswith(suffix):
                    count += 1
                    size += _size(entry)
    except OSError:
        return StoreUse()
    return StoreUse(key_count=count, size_bytes=size)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except OSError:
        return 0  # it has just expired


def _redis(client_class: Any, servers: Any, options: Any) -> StoreUse:
    """The whole server: all its databases but for the number of keys, and all its users."""
    from redis.backoff import NoBackoff
    from redis.exceptions import RedisError
    from redis.retry import Retry

    limits = {
        "socket_timeout": TIMEOUT_S,
        "socket_connect_timeout": TIMEOUT_S,
        "retry": Retry(NoBackoff(), 0),
    }
    try:
        # A connection of its own, as short-lived as this: the application's may be in the middle of something.
        redis = client_class(servers, **{**options, **limits}).get_client(None, write=True)
        try:
            keys, memory, stats = redis.dbsize(), redis.info("memory"), redis.info("stats")
        finally:
            redis.connection_pool.disconnect()
    except (RedisError, OSError):
        return StoreUse()
    return StoreUse(
        key_count=keys,
        size_bytes=memory.get("used_memory"),
        max_size_bytes=memory.get("maxmemory") or None,  # 0 is no limit
        eviction_count=stats.get("evicted_keys"),
    )
