"""The tables people look at, as LogQL: what is slow, what fails, what is used up.

In: a Table, a time range, a LokiClient. Out: LogQL, TableRows. Never: a table's numbers by another way than its LogQL.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

from logging_pkg.analysis.tables import QUANTILES, Column, Table, TableRow, in_order
from logging_pkg.loki_client import LokiClient, Vector
from logging_pkg.pipeline.event_queries import line_filter
from logging_pkg.pipeline.scope import Scope

_SECOND = 1_000_000_000
#: Functions that take their groups themselves.
_OVER_TIME: Final = {"mean": "avg_over_time", "stddev": "stddev_over_time", "max": "max_over_time"}

_TIMES = (
    Column("p50", "p50", "response_time_ms", "ms"),
    Column("p95", "p95", "response_time_ms", "ms"),
    Column("p99", "p99", "response_time_ms", "ms"),
)
_DURATIONS = tuple(Column(column.title, column.function, "duration_ms", "ms") for column in _TIMES)
_COUNT = Column("count", "count")
_ERRORS = Column("errors", "mean", "is_error", "ratio")

ROUTES: Final = Table(
    "Routes",
    "http.request_finished",
    ("route",),
    (_COUNT, *_TIMES, Column("queries", "mean", "query_count"), _ERRORS),
    "p95",
)
SLOW_QUERIES: Final = Table(
    "Slow queries",
    "db.slow_query_detected",
    ("fingerprint", "caller"),
    (_COUNT, Column("sum", "sum", "duration_ms", "ms"), Column("max", "max", "duration_ms", "ms")),
    "sum",
)
N_PLUS_ONE: Final = Table(
    "N+1 queries",
    "db.n_plus_one_detected",
    ("fingerprint", "caller", "route"),
    (_COUNT, Column("repeats", "max", "count"), Column("sum", "sum", "total_ms", "ms")),
    "sum",
)
GOOGLE_API: Final = Table(
    "Google API",
    "google_api.call_finished",
    ("operation",),
    (
        _COUNT,
        *_DURATIONS,
        _ERRORS,
        Column("rate limited", "sum", "is_rate_limited"),
        Column("quota units", "sum", "quota_units"),
    ),
    "count",
)
USERS: Final = Table(
    "Users",
    "http.request_finished",
    ("user_id",),
    (_COUNT, Column("p95", "p95", "response_time_ms", "ms"), _ERRORS),
    "count",
)
FAILED_REQUESTS: Final = Table(
    "Failed requests",
    "http.request_finished",
    ("route", "status_code", "error_type"),
    (_COUNT,),
    "count",
    (("is_error", "1"),),
)
FAILED_API_CALLS: Final = Table(
    "Failed Google API attempts",
    "google_api.call_finished",
    ("operation", "status_code", "reason", "error_type"),
    (_COUNT,),
    "count",
    (("is_error", "1"),),
)
FAILED_SYNCS: Final = Table(
    "Failed syncs", "sync.run_finished", ("resource", "kind", "error_type"), (_COUNT,), "count", (("is_success", "0"),)
)
SYNCS: Final = Table(
    "Syncs",
    "sync.run_finished",
    ("resource", "kind", "trigger"),
    (
        _COUNT,
        Column("ok", "mean", "is_success", "ratio"),
        *_DURATIONS[:2],
        Column("API calls", "sum", "api_call_count"),
        Column("created", "sum", "created_count"),
        Column("updated", "sum", "updated_count"),
        Column("deleted", "sum", "deleted_count"),
    ),
    "count",
)
QUOTA_DAY: Final = Table(
    "Quota of the day",
    "google_api.call_finished",
    ("project", "quota_day"),
    (Column("used", "sum", "quota_units"), Column("limit", "max", "quota_day_limit")),
    "used",
)
QUOTA_MINUTE: Final = Table(
    "Quota of the minute",
    "google_api.call_finished",
    ("project",),
    (Column("used", "sum", "quota_units"), Column("limit", "max", "quota_minute_limit")),
    "used",
)
QUOTA_USER_MINUTE: Final = Table(
    "Quota of the minute, by user",
    "google_api.call_finished",
    ("project", "account_hash"),
    (Column("used", "sum", "quota_units"), Column("limit", "max", "quota_user_minute_limit")),
    "used",
)
#: What two releases are compared by: the time of a unit of work, what it does, and whether it fails.
RELEASE_ROUTES: Final = Table(
    "Routes",
    "http.request_finished",
    ("route",),
    (
        _COUNT,
        *_TIMES[:2],
        Column("mean", "mean", "response_time_ms", "ms"),
        Column("stddev", "stddev", "response_time_ms", "ms"),
        Column("queries", "mean", "query_count"),
        _ERRORS,
    ),
    "count",
)
RELEASE_API: Final = Table(
    "Google API",
    "google_api.call_finished",
    ("operation",),
    (
        _COUNT,
        *_DURATIONS[:2],
        Column("mean", "mean", "duration_ms", "ms"),
        Column("stddev", "stddev", "duration_ms", "ms"),
        _ERRORS,
    ),
    "count",
)
#: What `logpipe top` shows under each name.
TOP: Final[Mapping[str, tuple[Table, ...]]] = {
    "routes": (ROUTES,),
    "queries": (SLOW_QUERIES, N_PLUS_ONE),
    "api": (GOOGLE_API,),
    "users": (USERS,),
    "errors": (FAILED_REQUESTS, FAILED_API_CALLS, FAILED_SYNCS),
}


def column_query(table: Table, column: Column, window_s: int, scope: Scope | None = None) -> str:
    """LogQL of one column: a vector with a sample per group.

    Args:
        table: the table.
        column: one of its columns.
        window_s: seconds before the time of evaluation.
        scope: which events; all of the table's when None.
    """
    scope = scope or Scope()
    selector = {"event": table.event, **scope.labels}
    where = {**dict(table.where), **scope.fields}
    unwrapped = column.field if column.function != "count" else ""
    names = dict.fromkeys((*table.by, *where, *filter(None, [unwrapped])))
    # In the event's own words, also where one of them is a word of LogQL's: db.n_plus_one_detected has a `count`.
    pipeline = " ".join(
        [
            "{" + ", ".join(f"{name}={json.dumps(value)}" for name, value in selector.items()) + "}",
            *filter(None, (line_filter(name, value) for name, value in where.items())),
            "| json " + ", ".join(f'{_safe(name)}="{name}"' for name in names),
            # One line that is no JSON would fail the whole query.
            *(['| __error__=""'] if not unwrapped else []),
            *(f"| {_safe(name)}={json.dumps(value)}" for name, value in where.items()),
            # A mean's divisor counts lines without the field, too (avg_over_time), so they are left out before.
            *([f'| {_safe(unwrapped)}!="" | unwrap {_safe(unwrapped)} | __error__=""'] if unwrapped else []),
        ]
    )
    by = f"by ({', '.join(map(_safe, table.by))})"
    if column.function == "count":
        return f"sum {by} (count_over_time({pipeline} [{window_s}s]))"
    if column.function in QUANTILES:
        return f"quantile_over_time({QUANTILES[column.function]}, {pipeline} [{window_s}s]) {by}"
    if column.function == "sum":
        return f"sum {by} (sum_over_time({pipeline} [{window_s}s]))"
    return f"{_OVER_TIME[column.function]}({pipeline} [{window_s}s]) {by}"


def loki_rows(
    client: LokiClient,
    table: Table,
    end_ns: int,
    window_s: int,
    *,
    scope: Scope | None = None,
    limit: int | None = None,
) -> list[TableRow]:
    """A table's rows from Loki, one query per column.

    Args:
        client: of the Loki to ask.
        table: what to compute.
        end_ns: end of the window, ns since 1970.
        window_s: its length, seconds.
        scope: which events.
        limit: how many rows at most.

    Raises:
        LokiError: Loki could not be asked.
    """
    vectors = []
    for column in table.columns:
        answer = client.query(column_query(table, column, window_s, scope), end_ns)
        assert isinstance(answer, Vector)
        vectors.append(answer)
    return rows_from(table, vectors, limit)


def rows_from(table: Table, answers: Sequence[Vector], limit: int | None = None) -> list[TableRow]:
    """A table's rows, from the answers to its columns' queries, in their order."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for column, answer in zip(table.columns, answers, strict=True):
        for sample in answer.samples:
            key = tuple(sample.labels.get(_safe(name), "") for name in table.by)
            found.setdefault(key, {})[column.title] = sample.value
    titles = [column.title for column in table.columns]
    rows = [TableRow(key, tuple(values.get(title) for title in titles)) for key, values in found.items()]
    return in_order(table, rows, limit)


def _safe(name: str) -> str:
    return f"{name}_value" if name in {"count", "sum"} else name
