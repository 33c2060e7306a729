"""Count and time every query of every Django database connection.

In: Django's `execute_wrapper` calls. Out: totals of the running unit, `db.slow_query_detected`.
Never: changes a statement, its parameters, its result or its exception; adds a query.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created

from logging_pkg import conf
from logging_pkg.context import current_span
from logging_pkg.instrumentation.caller import project_caller
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.sql import fingerprint, is_control, operation_of
from logging_pkg.instrumentation.totals import Totals, milliseconds, unattributed

_clock = time.perf_counter_ns


def watch_databases() -> None:
    """Watch every connection, those open now and those opened later, in every thread. Idempotent."""
    connection_created.connect(_on_connection_created, dispatch_uid="logging_pkg.database")
    for connection in connections.all(initialized_only=True):
        _install(connection)


def _on_connection_created(connection: Any, **_: Any) -> None:
    _install(connection)


def _install(connection: Any) -> None:
    # insert(0), never append: Django's own execute_wrapper() context manager leaves with pop().
    if _watch not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, _watch)


def _watch(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
    started = _clock()
    try:
        return execute(sql, params, many, context)
    finally:
        _record(context["connection"], sql, _clock() - started)


def _record(connection: Any, sql: Any, nanoseconds: int) -> None:
    try:
        text = sql if type(sql) is str else str(sql)
        if is_control(text):
            return
        totals: Totals | None = current_span().totals
        if totals is not None:
            totals.add_query(connection.alias, connection.vendor, text, nanoseconds)
        else:
            unattributed.add_query()
        if nanoseconds > conf.settings().slow_query_threshold_ms * 1_000_000:
            _report_slow(connection, text, nanoseconds, totals)
    except Exception as error:
        _swallow(error)


def _report_slow(connection: Any, sql: str, nanoseconds: int, totals: Totals | None) -> None:
    if totals is not None and not totals.take_finding():
        return
    emit_safely(
        "db.slow_query_detected",
        {
            "alias": connection.alias,
            "vendor": connection.vendor,
            "operation": operation_of(sql),
            "fingerprint": fingerprint(sql, connection.vendor),
            "duration_ms": milliseconds(nanoseconds),
            "threshold_ms": conf.settings().slow_query_threshold_ms,
            "caller": project_caller(),
            "route": totals.route() if totals is not None else None,
        },
    )


def _swallow(error: Exception) -> None:
    """A fault of ours must not reach the query's caller, strict mode aside."""
    if conf.settings().strict:
        raise error
