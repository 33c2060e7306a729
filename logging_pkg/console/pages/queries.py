"""Queries: statements that repeat or are slow, and what the database's plans say about them.

In: a Desk. Out: Sections. Never: parameters of a statement; no event has them.
"""

from __future__ import annotations

from collections.abc import Sequence

from logging_pkg.console.desk import Desk
from logging_pkg.console.lists import EventList, table_panel
from logging_pkg.console.pages.queries_of import lines, series
from logging_pkg.console.panels import Chart, Section
from logging_pkg.pipeline.event_tables import N_PLUS_ONE, SLOW_QUERIES


def queries(desk: Desk) -> Sequence[Section]:
    """Those that take the most time first."""
    chosen = desk.selection
    note = "The same statement more than three times in one unit of work; a row leads to each finding."
    return (
        Section((table_panel(desk, N_PLUS_ONE, note, "no repeated query"),)),
        Section((table_panel(desk, SLOW_QUERIES, empty="no slow query"),)),
        Section(
            (
                Chart(
                    "N+1 findings per second",
                    (desk.series(series(chosen, "route:db_n_plus_ones:rate_5m", "route", "sum")),),
                    unit="/s",
                    names=("route",),
                    window_s=chosen.window_s,
                ),
                Chart(
                    "Slow queries per second",
                    (desk.series(series(chosen, "alias_route:db_slow_queries:rate_5m", "route", "sum")),),
                    unit="/s",
                    names=("route",),
                    window_s=chosen.window_s,
                ),
            ),
            "charts",
        ),
        Section(
            (
                EventList(
                    "N+1, newest", (desk.lines(lines(chosen, "db.n_plus_one_detected"), 10),), empty="no repeated query"
                ),
                EventList(
                    "Slow queries, newest",
                    (desk.lines(lines(chosen, "db.slow_query_detected"), 10),),
                    empty="no slow query",
                ),
                EventList(
                    "Requests with too many queries, newest",
                    (desk.lines(lines(chosen, "db.high_query_count_detected"), 10),),
                    empty="no request over the threshold",
                ),
                EventList(
                    "Plans of slow queries, newest",
                    (desk.lines(lines(chosen, "db.query_explained"), 10),),
                    empty="no plan was asked for",
                ),
            ),
            "lists",
        ),
    )
