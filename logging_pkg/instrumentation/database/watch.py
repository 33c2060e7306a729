"""Count and time every query of every Django database connection.

In: Django's `execute_wrapper` calls. Out: totals of the running unit, `db.slow_query_detected`, SELECTs to explain.
Never: changes a statement, its parameters, its result or its exception; adds a query.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import connections
from django.db.backends.signals import connection_created
from django.db.backends.utils import CursorWrapper

from logging_pkg import conf
from logging_pkg import context as _context
from logging_pkg.context import current_span, is_unobserved
from logging_pkg.instrumentation.database.caller import project_caller
from logging_pkg.instrumentation.database.sql import fingerprint, operation_of, text_of
from logging_pkg.instrumentation.database.statements import known_statements, statement_of
from logging_pkg.instrumentation.database.transactions import WATCH_ATTRIBUTE, watch_transactions
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely, faults_kept_in
from logging_pkg.instrumentation.late_work import unattributed
from logging_pkg.instrumentation.query_plans.explain import offer
from logging_pkg.instrumentation.resources.connections import note_connection
from logging_pkg.instrumentation.totals import Totals

_Watch = Callable[[Callable[..., Any], Any, Any, bool, dict[str, Any]], Any]

_clock = time.perf_counter_ns
#: `current_unit` without its call.
_current_unit = _context._current.get


def watch_databases() -> None:
    """Watch every connection, those open now and those opened later, in every thread. Idempotent."""
    connection_created.connect(_on_connection_created, dispatch_uid="logging_pkg.database")
    for connection in connections.all(initialized_only=True):
        _install(connection)
    _watch_procedures()


def _on_connection_created(connection: Any, **_: Any) -> None:
    _install(connection)


def _install(connection: Any) -> None:
    watch = connection.__dict__.get(WATCH_ATTRIBUTE)
    if watch is False:
        return
    if watch is None:
        watch = connection.__dict__[WATCH_ATTRIBUTE] = _watcher(connection)
        note_connection(connection)
    # insert(0), never append: Django's own execute_wrapper() context manager leaves with pop().
    if watch not in connection.execute_wrappers:
        connection.execute_wrappers.insert(0, watch)


def _watcher(connection: Any) -> _Watch:
    """The execute wrapper of one connection. It runs for every query: hence no call that can be spared."""
    alias, vendor = connection.alias, connection.vendor
    transaction = watch_transactions(connection)
    known = known_statements(alias, vendor)

    def watch(execute: Callable[..., Any], sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        started = _clock()
        try:
            return execute(sql, params, many, context)
        finally:
            ended = _clock()
            try:
                if not connection.autocommit and transaction.opened is None:
                    transaction.ran(started)
                try:
                    statement = known.get(sql)
                except TypeError:  # a composed statement of psycopg has no hash
                    statement = None
                if statement is None:
                    statement = statement_of(text_of(sql, connection.connection), alias, vendor)
                if statement is not None:
                    nanoseconds = ended - started
                    span = _current_unit()
                    totals: Totals | None = None if span is None else span.totals
                    if totals is None:
                        if not is_unobserved():
                            unattributed.add_queries()
                            if nanoseconds > conf.settings().slow_query_nanoseconds:
                                _found_slow(connection, sql, params, many, context, nanoseconds, None)
                    else:
                        # What `add_query` does.
                        recent = totals.recent
                        if len(recent) < totals.max_recent:
                            times: list[int] | None = recent.setdefault(statement, [])
                        else:
                            times = recent.get(statement)
                        if times is None:
                            totals.add_without_list(statement, nanoseconds)
                        else:
                            times.append(nanoseconds)
                            if len(times) > totals.look_above:
                                totals.look_at(statement, times)
                        if totals.query_overhead is None:
                            totals.note_query_overhead(_clock() - ended)
                        if nanoseconds > totals.slow_query_nanoseconds:
                            _found_slow(connection, sql, params, many, context, nanoseconds, totals)
            except Exception:
                with faults_kept_in():
                    raise

    return watch


def _found_slow(
    connection: Any, sql: Any, params: Any, many: bool, context: dict[str, Any], nanoseconds: int, totals: Totals | None
) -> None:
    settings = conf.settings()
    sql = text_of(sql, connection.connection)
    caller = project_caller()
    if totals is None or totals.take_finding():
        emit_safely(
            "db.slow_query_detected",
            {
                "alias": connection.alias,
                "vendor": connection.vendor,
                "operation": operation_of(sql),
                "fingerprint": fingerprint(sql, connection.vendor),
                "duration_ms": milliseconds(nanoseconds),
                "threshold_ms": settings.slow_query_threshold_ms,
                "caller": caller,
                "route": totals.route() if totals is not None else None,
            },
        )
    # A named cursor fetches with a plan of its own, made for the first rows.
    is_plain = not many and getattr(getattr(context["cursor"], "cursor", None), "name", None) is None
    if settings.explain_slow_queries and is_plain:
        offer(connection, sql, params, nanoseconds=nanoseconds, caller=caller, totals=totals, span=current_span())


def _watch_procedures() -> None:
    """Django runs `callproc` past the execute wrappers. Idempotent."""
    original = CursorWrapper.callproc
    if hasattr(original, WATCH_ATTRIBUTE):
        return

    @wraps(original)
    def callproc(self: Any, procname: Any, params: Any = None, kparams: Any = None) -> Any:
        watch = self.db.__dict__.get(WATCH_ATTRIBUTE)
        if not watch:
            return original(self, procname, params, kparams)
        return watch(
            lambda *_: original(self, procname, params, kparams), f"CALL {procname}", None, False, {"cursor": self}
        )

    setattr(callproc, WATCH_ATTRIBUTE, True)
    CursorWrapper.callproc = callproc  # type: ignore[method-assign]
