"""The Google Calendar API: time, errors and quota.

In: a Desk. Out: Sections. Never: a guess at a limit; events carry it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import orjson

from logging_pkg.console.desk import Desk
from logging_pkg.console.lists import EventList, table_panel
from logging_pkg.console.pages.queries_of import lines, over_time, recent, series
from logging_pkg.console.panels import Chart, Section, Tile, counted, first
from logging_pkg.loki_client import Vector
from logging_pkg.pipeline.event_tables import FAILED_API_CALLS, GOOGLE_API

_CALL = "google_api.call_finished"
#: By its text: for the newest line Loki goes through whole blocks of them, and would parse each.
_TELLS_A_LIMIT = ' |~ `"quota_(minute|day)_limit": ?[0-9]`'


def google(desk: Desk) -> Sequence[Section]:
    """Quota first: what is used up stops every sync."""
    chosen = desk.selection
    attempts = table_panel(desk, GOOGLE_API, "A row leads to its attempts.")
    limits = desk.lines(lines(chosen, _CALL) + _TELLS_A_LIMIT, 1)
    quota, day = "project:google_api_quota:sum_1m", "project_quota_day:google_api_quota_day:sum_25h"
    return (
        Section(
            (
                Tile(
                    "Attempts",
                    (attempts.question("count"),),
                    note="each HTTP request to Google is one",
                    read=counted,
                ),
                Tile(
                    "Quota, busiest minute",
                    (desk.promql(f"max(max_over_time({quota}{chosen.braces}[{chosen.window_s}s]))"), limits),
                    note="of the project's limit",
                    unit="ratio",
                    limit=0.8,
                    target="at most 80 %",
                    read=partial(_used, "quota_minute_limit"),
                ),
                Tile(
                    "Quota, today",
                    (desk.promql(f"max(last_over_time({day}{chosen.braces}[10m]))"), limits),
                    note="of the day's limit; a Pacific day",
                    unit="ratio",
                    limit=0.8,
                    target="at most 80 %",
                    read=partial(_used, "quota_day_limit"),
                ),
                Tile(
                    "Told to slow down",
                    (attempts.question("rate limited"),),
                    note="answers 403 and 429 of a limit",
                    limit=0,
                    target="none",
                    read=counted,
                ),
                Tile(
                    "p95 of an attempt",
                    (desk.logql(over_time(chosen, "0.95", _CALL, "duration_ms", recent(chosen))),),
                    note="of the last 15 minutes",
                    unit="ms",
                ),
            ),
            "tiles",
            f"The last {chosen.range}",
        ),
        Section(
            (
                Chart(
                    "Quota units in a minute",
                    (desk.series(series(chosen, quota, "project")),),
                    names=("project",),
                    window_s=chosen.window_s,
                ),
                Chart(
                    "p95 of an attempt",
                    (desk.series(series(chosen, "operation:google_api_duration_ms:p95_5m", "operation")),),
                    unit="ms",
                    names=("operation",),
                    window_s=chosen.window_s,
                ),
                Chart(
                    "Attempts per second by status",
                    (
                        desk.series(
                            series(chosen, "operation_status_class:google_api_calls:rate_5m", "status_class", "sum")
                        ),
                    ),
                    unit="/s",
                    names=("status_class",),
                    window_s=chosen.window_s,
                ),
                Chart(
                    "Share of failed attempts",
                    (desk.series(series(chosen, "operation:google_api_error_ratio:avg_5m", "operation")),),
                    unit="ratio",
                    names=("operation",),
                    window_s=chosen.window_s,
                ),
            ),
            "charts",
        ),
        Section((attempts,)),
        Section((table_panel(desk, FAILED_API_CALLS, empty="no attempt has failed"),)),
        Section(
            (
                EventList(
                    "Failed attempts, newest",
                    (desk.lines(lines(chosen, _CALL, 'is_error="1"'), 10),),
                    empty="no attempt has failed",
                ),
            ),
            "lists",
        ),
    )


def _used(field: str, used: Vector, newest: list[str]) -> float | None:
    units = first(used)
    if units is None or not newest:
        return None
    try:
        most = orjson.loads(newest[0])[field]
    except (ValueError, KeyError, TypeError):
        return None  # anybody can push a line, and Loki finds fields in broken ones, too
    return units / most if isinstance(most, int | float) and most else None
