"""Sync and connections: do calendars come in, on time, for every account.

In: nothing. Out: SYNC. Never: an account's address or a calendar's name; events hold keyed hashes.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.catalogue.google import ACCOUNT_VARIABLE
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_EVENT: Final = "sync.run_finished"
_RUNS: Final = f'{{event="{_EVENT}", {CHOSEN}}} | json account_hash="account_hash"'
_CHECKED: Final = f'{{event="calendar.connection_checked", {CHOSEN}}} | json account_hash="account_hash"'

SYNC: Final = Dashboard(
    uid="sync",
    title="Sync and connections",
    description="Do calendars come in, on time, for every account; which account's connection is broken.",
    guide=guides.SYNC,
    variables=(ACCOUNT_VARIABLE,),
    rows=(
        Row(
            "Runs",
            (
                MetricPanel(_EVENT, "sync_success_ratio", ("SyncFailing",)),
                Panel(
                    "Sync runs per second, by outcome",
                    "Of calendar lists and of events, full and incremental, over 5 minutes.",
                    (
                        Query(
                            "sum by (resource, kind, outcome) "
                            f"(resource_kind_trigger_outcome:sync_runs:rate_5m{{{CHOSEN}}})",
                            "{{resource}} {{kind}} {{outcome}}",
                        ),
                    ),
                    unit="cps",
                    logs=f'{_RUNS}, outcome="outcome" | account_hash=~"$account"',
                    runbooks=("SyncFailing",),
                    is_stacked=True,
                    empty="No syncs",
                    no_limit="how many there are depends on the number of calendars; the share that succeeds is "
                    "judged.",
                ),
                MetricPanel(
                    _EVENT,
                    "sync_duration",
                    only=("p95",),
                    no_limit="a full sync of a large calendar takes minutes; CalendarSyncLate judges what comes "
                    "too late.",
                ),
                Panel(
                    "Sync runs per second, by trigger",
                    "What set them off: a page, a command, the worker's schedule or Google's push notification.",
                    (
                        Query(
                            f"sum by (trigger) (resource_kind_trigger_outcome:sync_runs:rate_5m{{{CHOSEN}}})",
                            "{{trigger}}",
                        ),
                    ),
                    unit="cps",
                    logs=f'{_RUNS}, trigger="trigger" | account_hash=~"$account"',
                    is_stacked=True,
                    empty="No syncs",
                    no_limit="how many there are depends on the number of calendars.",
                ),
            ),
        ),
        Row(
            "What came in",
            (
                MetricPanel(
                    _EVENT,
                    "sync_created",
                    width=8,
                    no_limit="how many change is the users' doing.",
                ),
                MetricPanel(
                    _EVENT,
                    "sync_updated",
                    width=8,
                    no_limit="how many change is the users' doing.",
                ),
                MetricPanel(
                    _EVENT,
                    "sync_deleted",
                    width=8,
                    no_limit="how many change is the users' doing.",
                ),
            ),
        ),
        Row(
            "Connections and lateness",
            (
                MetricPanel(
                    "calendar.connection_checked",
                    "calendar_connection_healthy_ratio",
                    runbooks=("AccountRevoked",),
                    width=8,
                    no_limit="AccountRevoked counts accounts, not checks.",
                ),
                MetricPanel(
                    "calendar.connection_checked",
                    "calendar_connections_checked",
                    runbooks=("AccountRevoked",),
                    is_stacked=True,
                    width=8,
                    no_limit="AccountRevoked counts accounts, not checks; any that is revoked is told.",
                ),
                Panel(
                    "Accounts that Google refuses",
                    "Accounts of which a check in 15 minutes found the credentials withdrawn or expired. Their users "
                    "have to connect them again.",
                    (
                        Query(
                            f'sum by (service_name) (max_over_time({_CHECKED}, is_revoked="is_revoked" '
                            '| account_hash=~"$account" | unwrap is_revoked | __error__="" [15m]) '
                            "by (service_name, env, account_hash))",
                            "{{service_name}}",
                        ),
                    ),
                    source="loki",
                    logs=f'{_CHECKED}, is_revoked="is_revoked", error_type="error_type" '
                    '| account_hash=~"$account" | is_revoked = 1',
                    alerts=("AccountRevoked",),
                    width=8,
                    empty="No connection was checked",
                ),
                MetricPanel("sync.schedule_checked", "sync_late_calendars", ("CalendarSyncLate",)),
                Panel(
                    "Accounts with most failed runs",
                    "The 20 accounts whose syncs failed most often in the time range.",
                    (
                        Query(
                            "topk(20, sum by (account_hash, error_type) (count_over_time("
                            f'{_RUNS}, outcome="outcome", error_type="error_type" | account_hash=~"$account" '
                            '| outcome="failed" [$__range])))',
                            "failed runs",
                        ),
                    ),
                    kind="table",
                    source="loki",
                    logs=f'{_RUNS}, outcome="outcome" | account_hash=~"$account" | outcome="failed"',
                    runbooks=("SyncFailing",),
                    empty="No sync failed in this time range",
                    no_limit="SyncFailing judges the share of all runs; these are counts of the whole time range.",
                ),
            ),
        ),
        Row(
            "The lines",
            (
                Panel(
                    "Syncs that failed",
                    "Newest first, with the reason. The sync_id leads to its attempts.",
                    (Query(f'{_RUNS}, outcome="outcome" | account_hash=~"$account" | outcome="failed"'),),
                    kind="logs",
                    source="loki",
                    logs=f'{_RUNS}, outcome="outcome" | account_hash=~"$account" | outcome="failed"',
                    runbooks=("SyncFailing",),
                    width=12,
                    empty="No sync failed in this time range",
                ),
                Panel(
                    "Connections that are not healthy",
                    "Newest first: degraded, about to expire, or revoked by the user.",
                    (Query(f'{_CHECKED}, is_healthy="is_healthy" | account_hash=~"$account" | is_healthy = 0'),),
                    kind="logs",
                    source="loki",
                    logs=f'{_CHECKED}, is_healthy="is_healthy" | account_hash=~"$account" | is_healthy = 0',
                    runbooks=("AccountRevoked",),
                    width=12,
                    empty="Every connection that was checked is healthy",
                ),
            ),
        ),
    ),
)
