"""Syncs: how they go, which fail and why, what state the connections are in.

In: a Desk. Out: Sections. Never: an account's address; events have a hash of it.
"""

from __future__ import annotations

from collections.abc import Sequence

from logging_pkg.console.desk import Desk
from logging_pkg.console.lists import EventList, table_panel
from logging_pkg.console.pages.queries_of import count, lines, over_time, series
from logging_pkg.console.panels import Chart, Section, Tile, counted, rest
from logging_pkg.pipeline.event_tables import FAILED_SYNCS, SYNCS

_RUN, _CHECK = "sync.run_finished", "calendar.connection_checked"


def syncs(desk: Desk) -> Sequence[Section]:
    """Failures first, each one click from its waterfall."""
    chosen = desk.selection
    runs = table_panel(desk, SYNCS, "A row leads to its runs.")
    failed = table_panel(desk, FAILED_SYNCS, empty="no sync has failed")
    return (
        Section(
            (
                Tile("Runs", (runs.question("count"),), read=counted),
                Tile(
                    "That succeed",
                    (failed.question("count"), runs.question("count")),
                    read=rest,
                    unit="ratio",
                    limit=0.99,
                    is_floor=True,
                    target="at least 99 %",
                ),
                Tile("p95 of a run", (desk.logql(over_time(chosen, "0.95", _RUN, "duration_ms")),), unit="ms"),
                Tile(
                    "Behind Google, p95",
                    (desk.logql(over_time(chosen, "0.95", _RUN, "lag_ms")),),
                    note="from a change there to the change here",
                    unit="ms",
                ),
                Tile(
                    "Healthy connections",
                    (desk.logql(count(chosen, _CHECK, 'is_healthy="0"')), desk.logql(count(chosen, _CHECK))),
                    read=rest,
                    unit="ratio",
                    limit=0.99,
                    is_floor=True,
                    target="at least 99 %",
                ),
                Tile(
                    "Late calendars",
                    (desk.logql(over_time(chosen, "max_over_time", "sync.schedule_checked", "late_count", "5m")),),
                    limit=0,
                    target="none",
                    empty="no worker reports",
                ),
            ),
            "tiles",
            f"The last {chosen.range}",
        ),
        Section(
            (
                EventList(
                    "Failed syncs, newest",
                    (desk.lines(lines(chosen, _RUN, 'is_success="0"'), 10),),
                    empty="no sync has failed",
                ),
                EventList(
                    "Connections in trouble, newest",
                    (desk.lines(lines(chosen, _CHECK, 'is_healthy="0"'), 10),),
                    empty="every connection is healthy",
                ),
            ),
            "lists",
        ),
        Section((failed,)),
        Section((runs,)),
        Section(
            (
                Chart(
                    "p95 of a run",
                    (desk.series(series(chosen, "resource_kind:sync_duration_ms:p95_5m", "resource, kind")),),
                    unit="ms",
                    names=("resource", "kind"),
                    window_s=chosen.window_s,
                ),
                Chart(
                    "Share that succeeds",
                    (desk.series(series(chosen, "resource:sync_success_ratio:avg_5m", "resource", "min")),),
                    unit="ratio",
                    names=("resource",),
                    window_s=chosen.window_s,
                    limit=0.99,
                ),
            ),
            "charts",
        ),
    )
