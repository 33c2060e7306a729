"""The overview: service levels, what went wrong lately, where to look next.

In: a Desk. Out: Sections. Never: a link without something behind it.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.urls import reverse

from logging_pkg import conf
from logging_pkg.console.desk import Desk, Question
from logging_pkg.console.lists import EventList
from logging_pkg.console.pages.alerts import firing
from logging_pkg.console.pages.queries_of import count, lines, over_time, recent, series
from logging_pkg.console.panels import Chart, Panel, Section, Tile, counted, rest, share
from logging_pkg.console.recorded import REQUESTS, mean_query

_REQUEST, _RUN = "http.request_finished", "sync.run_finished"
_NEWEST = 3


def overview(desk: Desk) -> Sequence[Section]:
    """Service levels of REQUIREMENTS: p95 <= 500 ms, <= 5 queries per request, errors <= 1 %."""
    chosen = desk.selection

    def page(name: str) -> str:
        return reverse(f"logging_pkg_console:{name}") + chosen.query()

    tiles: tuple[Panel, ...] = (
        Tile("Requests", (desk.logql(count(chosen, _REQUEST)),), link=page("routes"), read=counted),
        Tile(
            "p95 response time",
            (desk.logql(over_time(chosen, "0.95", _REQUEST, "response_time_ms", recent(chosen))),),
            note="of the last 15 minutes",
            link=page("routes"),
            unit="ms",
            limit=500,
            target="at most 500 ms",
        ),
        Tile(
            "Failed requests",
            (desk.logql(count(chosen, _REQUEST, 'is_error="1"')), desk.logql(count(chosen, _REQUEST))),
            link=page("routes"),
            unit="ratio",
            limit=0.01,
            target="at most 1 %",
            read=share,
        ),
        Tile(
            "Queries per request",
            (_queries_per_request(desk),),
            link=page("queries"),
            limit=5,
            target="at most 5",
        ),
        Tile(
            "Syncs that succeed",
            (desk.logql(count(chosen, _RUN, 'is_success="0"')), desk.logql(count(chosen, _RUN))),
            read=rest,
            link=page("syncs"),
            unit="ratio",
            limit=0.99,
            is_floor=True,
            target="at least 99 %",
        ),
        Tile(
            "Google quota",
            (desk.promql(_quota_peak(desk)),),
            note="units in the busiest minute",
            link=page("google"),
        ),
        Tile(
            "Alerts firing",
            (desk.alerts(), desk.prometheus_alerts()),
            link=page("alerts"),
            limit=0,
            target="none",
            read=firing,
        ),
        Tile(
            "Events late",
            (desk.logql(over_time(chosen, "max_over_time", "shipper.status_reported", "lag_s", "5m")),),
            note="age of the oldest event not shipped",
            link=page("pipeline"),
            unit="s",
            limit=60,
            target="at most 1 min",
            empty="no shipper reports",
        ),
    )
    charts: tuple[Panel, ...] = (
        Chart(
            "p95 response time by route",
            (desk.series(series(chosen, "route:http_response_time_ms:p95_5m", "route")),),
            unit="ms",
            names=("route",),
            window_s=chosen.window_s,
            limit=500,
        ),
        Chart(
            "Requests per second by status",
            (desk.series(series(chosen, "route_method_status_class:http_requests:rate_5m", "status_class", "sum")),),
            unit="/s",
            names=("status_class",),
            window_s=chosen.window_s,
        ),
    )
    lists: tuple[Panel, ...] = (
        EventList(
            "Failed syncs, newest",
            (desk.lines(lines(chosen, _RUN, 'is_success="0"'), _NEWEST),),
            link=page("syncs"),
            empty="no sync has failed",
        ),
        EventList(
            "Failed requests, newest",
            (desk.lines(lines(chosen, _REQUEST, 'is_error="1"'), _NEWEST),),
            link=page("routes"),
            empty="no request has failed",
        ),
        EventList(
            "N+1 queries, newest",
            (desk.lines(lines(chosen, "db.n_plus_one_detected"), _NEWEST),),
            link=page("queries"),
            empty="no repeated query",
        ),
        EventList(
            "Slow or stuck requests, newest",
            (desk.lines(lines(chosen, "http.(slow_request_detected|request_stuck)"), _NEWEST),),
            link=page("routes"),
            empty="no slow request",
        ),
    )
    return (
        Section(tiles, "tiles", f"The last {chosen.range}"),
        Section(lists, "lists", "What went wrong lately"),
        Section(charts, "charts"),
    )


def _quota_peak(desk: Desk) -> str:
    name = f"project:google_api_quota:sum_1m{desk.selection.braces}"
    return f"max(max_over_time({name}[{desk.selection.window_s}s]))"


def _queries_per_request(desk: Desk) -> Question:
    chosen = desk.selection
    if not conf.settings().prometheus_url:
        return desk.logql(over_time(chosen, "avg_over_time", _REQUEST, "query_count"))
    return desk.promql(mean_query(chosen, "route", "", "route:http_queries_per_request:avg_5m", REQUESTS))
