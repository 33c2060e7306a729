"""What a unit of work has done, as the fields its events share.

In: totals, nanoseconds. Out: event fields. Never: more aliases than a schema admits.
"""

from __future__ import annotations

from typing import Any

from logging_pkg.instrumentation.totals import Totals

#: Aliases an event tells of one by one; the sums are of all.
MAX_ALIASES = 20
#: What the schemas admit; a longer alias must not cost a request its event.
MAX_ALIAS_CHARACTERS = 64


def milliseconds(nanoseconds: int) -> float:
    """Nanoseconds as milliseconds with microsecond resolution: what events carry."""
    return (nanoseconds + 500) // 1000 / 1000


def database_fields(totals: Totals) -> dict[str, Any]:
    """The queries of a unit as event fields, summed and per alias."""
    count = nanoseconds = duplicates = 0
    queries: list[dict[str, Any]] = []
    for alias, database in list(totals.databases.items()):
        count += database.count
        nanoseconds += database.nanoseconds
        duplicates += database.duplicates
        if len(queries) < MAX_ALIASES:
            entry: dict[str, Any] = {
                "alias": alias[:MAX_ALIAS_CHARACTERS],
                "count": database.count,
                "time_ms": (database.nanoseconds + 500) // 1000 / 1000,
            }
            if database.commits or database.rollbacks:
                entry["commit_count"] = database.commits
                entry["rollback_count"] = database.rollbacks
                entry["transaction_time_ms"] = milliseconds(database.transaction_nanoseconds)
            queries.append(entry)
    return {
        "query_count": count,
        "query_time_ms": (nanoseconds + 500) // 1000 / 1000,
        "duplicate_query_count": duplicates,
        "queries": queries,
    }


def cache_fields(totals: Totals) -> dict[str, Any]:
    """The cache use of a unit as event fields, summed and per alias."""
    hits = misses = sets = deletes = nanoseconds = 0
    caches: list[dict[str, Any]] = []
    for alias, cache in list(totals.caches.items()):
        hits += cache.hits
        misses += cache.misses
        sets += cache.sets
        deletes += cache.deletes
        nanoseconds += cache.nanoseconds
        if len(caches) < MAX_ALIASES:
            caches.append(
                {
                    "alias": alias[:MAX_ALIAS_CHARACTERS],
                    "hit_count": cache.hits,
                    "miss_count": cache.misses,
                    "set_count": cache.sets,
                    "delete_count": cache.deletes,
                    "time_ms": milliseconds(cache.nanoseconds),
                }
            )
    return {
        "cache_hit_count": hits,
        "cache_miss_count": misses,
        "cache_set_count": sets,
        "cache_delete_count": deletes,
        "cache_time_ms": milliseconds(nanoseconds),
        "caches": caches,
    }
