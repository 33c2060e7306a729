"""Routes: times, errors and queries of each page of the site.

In: a Desk. Out: Sections. Never: a path with IDs in it.
"""

from __future__ import annotations

from collections.abc import Sequence

from logging_pkg.console.desk import Desk
from logging_pkg.console.lists import EventList, table_panel
from logging_pkg.console.pages.queries_of import lines, series
from logging_pkg.console.panels import Chart, Section
from logging_pkg.pipeline.event_tables import FAILED_REQUESTS, ROUTES


def routes(desk: Desk) -> Sequence[Section]:
    """The slowest first."""
    chosen = desk.selection
    slow = "http.(slow_request_detected|request_stuck)"
    return (
        Section((table_panel(desk, ROUTES, "A row leads to its requests."),)),
        Section(
            (
                Chart(
                    "p95 response time",
                    (desk.series(series(chosen, "route:http_response_time_ms:p95_5m", "route")),),
                    unit="ms",
                    names=("route",),
                    window_s=chosen.window_s,
                    limit=500,
                ),
                Chart(
                    "Requests per second",
                    (desk.series(series(chosen, "route_method_status_class:http_requests:rate_5m", "route", "sum")),),
                    unit="/s",
                    names=("route",),
                    window_s=chosen.window_s,
                ),
                Chart(
                    "Share of failed requests",
                    (desk.series(series(chosen, "route:http_error_ratio:avg_5m", "route")),),
                    unit="ratio",
                    names=("route",),
                    window_s=chosen.window_s,
                    limit=0.01,
                ),
                Chart(
                    "Queries per request",
                    (desk.series(series(chosen, "route:http_queries_per_request:avg_5m", "route")),),
                    names=("route",),
                    window_s=chosen.window_s,
                    limit=5,
                ),
            ),
            "charts",
        ),
        Section((table_panel(desk, FAILED_REQUESTS, empty="no request has failed"),)),
        Section(
            (
                EventList("Slow or stuck, newest", (desk.lines(lines(chosen, slow), 10),), empty="no slow request"),
                EventList(
                    "Failed, newest",
                    (desk.lines(lines(chosen, "http.request_finished", 'is_error="1"'), 10),),
                    empty="no request has failed",
                ),
            ),
            "lists",
        ),
    )
