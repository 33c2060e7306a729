"""What a finished unit of work says about its queries: N+1, too many.

In: Totals. Out: `db.n_plus_one_detected`, `db.high_query_count_detected`. Never: more than the cap per unit.
"""

from __future__ import annotations

from logging_pkg import conf
from logging_pkg.context import Span
from logging_pkg.instrumentation.database.sql import operation_of
from logging_pkg.instrumentation.fields import milliseconds
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.totals import Totals


def report_n_plus_one(totals: Totals, span: Span) -> None:
    """Emit what a finished unit repeated."""
    threshold = conf.settings().n_plus_one_threshold
    for repeated in totals.repeated():
        alias, vendor, shape = repeated.statement
        # A repeated write is a loop of writes; only repeated reads are what N+1 names.
        if operation_of(shape) != "select" or not totals.take_finding():
            continue
        emit_safely(
            "db.n_plus_one_detected",
            {
                "alias": alias,
                "vendor": vendor,
                "fingerprint": shape,
                "count": repeated.count,
                "threshold": threshold,
                "total_ms": milliseconds(repeated.nanoseconds),
                "caller": repeated.caller,
                "route": totals.route(),
            },
            span,
        )


def report_query_count(totals: Totals, span: Span) -> None:
    """Say that a finished request ran too many queries."""
    if totals.take_finding():
        emit_safely(
            "db.high_query_count_detected",
            {
                "query_count": totals.query_count,
                "threshold": conf.settings().query_count_threshold,
                "query_time_ms": milliseconds(totals.query_nanoseconds),
                "route": totals.route(),
            },
            span,
        )
