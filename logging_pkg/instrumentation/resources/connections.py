"""The database connections this process holds.

In: Django's connections as they are opened; psycopg's pools, where Django made some. Out: counts.
Never: opens, closes, keeps alive or asks a connection; imports Django or a driver that is not in use.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Iterable
from typing import Any

#: A dict and not a WeakSet, which may change while another thread goes over it.
_known: dict[int, weakref.ref[Any]] = {}


def note_connection(connection: Any) -> None:
    """Remember one of Django's connections as long as its thread does."""
    key = id(connection)
    _known[key] = weakref.ref(connection, lambda _: _known.pop(key, None))


def connection_fields() -> dict[str, int]:
    """`db_connection_count`, and of psycopg's pools what is open, in use, admitted and waited for.

    All aliases together. With a pool, Django has a connection only while it has taken one out: what the database server
    sees is the pool's size.
    """
    fields = {"db_connection_count": sum(_is_open(known()) for known in list(_known.values()))}
    stats = [pool.get_stats() for pool in _pools()]
    if stats:
        size = sum(one.get("pool_size", 0) for one in stats)
        fields["db_pool_size"] = size
        fields["db_pool_in_use_count"] = max(0, size - sum(one.get("pool_available", 0) for one in stats))
        fields["db_pool_max_size"] = sum(one.get("pool_max", 0) for one in stats)
        fields["db_pool_waiting_count"] = sum(one.get("requests_waiting", 0) for one in stats)
    return fields


def _is_open(connection: Any) -> bool:
    return connection is not None and connection.__dict__.get("connection") is not None


def _pools() -> Iterable[Any]:
    """Django keeps its pools by alias on the class (5.1 and newer). A pool nobody has asked for yet is not opened."""
    module = sys.modules.get("django.db.backends.postgresql.base")
    return list(getattr(getattr(module, "DatabaseWrapper", None), "_connection_pools", {}).values())
