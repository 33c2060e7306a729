"""Pipeline health: are the numbers of every other dashboard whole.

In: nothing. Out: PIPELINE_HEALTH. Never: the application's own state.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_STATUS: Final = "shipper.status_reported"
_SHIPPER: Final = f'{{event="{_STATUS}", {CHOSEN}}}'
_ALIVE: Final = f'{{event=~"process.sampled|shipper.status_reported", {CHOSEN}}}'
_SAMPLES: Final = f'{{event="process.sampled", {CHOSEN}}}'


def _summed(field: str) -> str:
    """Of a shipper's reports, each about its own period."""
    return (
        f'sum by (shipper) (sum_over_time({_SHIPPER} | json shipper="shipper", {field}="{field}" '
        f'| unwrap {field} | __error__="" [5m]))'
    )


PIPELINE_HEALTH: Final = Dashboard(
    uid="pipeline",
    title="Pipeline health",
    description="Are the other dashboards' numbers whole: does everything arrive, in time, once; are rules computed.",
    guide=guides.PIPELINE_HEALTH,
    time_from="now-3h",
    rows=(
        Row(
            "Arriving",
            (
                MetricPanel(_STATUS, "shipper_lag", ("ShipperBehind",)),
                Panel(
                    "Events shipped, in 5 minutes",
                    "What shippers say they pushed. Far above the events written means that some are sent twice.",
                    (Query(_summed("pushed_count"), "{{shipper}}"),),
                    source="loki",
                    logs=_SHIPPER,
                    empty="No shipper reports",
                    no_limit="how many there are follows the traffic.",
                ),
                Panel(
                    "Backlog",
                    "Bytes in log files that are not shipped yet; the largest in 5 minutes.",
                    (
                        Query(
                            f'max_over_time({_SHIPPER} | json shipper="shipper", backlog_bytes="backlog_bytes" '
                            '| unwrap backlog_bytes | __error__="" [5m]) by (shipper)',
                            "{{shipper}}",
                        ),
                    ),
                    source="loki",
                    unit="bytes",
                    logs=_SHIPPER,
                    runbooks=("ShipperBehind",),
                    empty="No shipper reports",
                    no_limit="bytes are no delay; ShipperBehind judges the lag they cause.",
                ),
                Panel(
                    "Pushes that failed, in 5 minutes",
                    "Loki refused or did not answer. They are tried again: a few do no harm.",
                    (Query(_summed("push_error_count"), "{{shipper}}"),),
                    source="loki",
                    logs=f'{_SHIPPER} | json push_error_count="push_error_count" | push_error_count > 0',
                    runbooks=("ShipperBehind",),
                    empty="No shipper reports",
                    no_limit="they are tried again; ShipperBehind judges the lag they cause.",
                ),
            ),
        ),
        Row(
            "Lost or refused",
            (
                MetricPanel(_STATUS, "shipper_dead_letters", ("EventsDeadLettered",), width=8),
                MetricPanel(
                    "logging.event_rejected",
                    "logging_rejected_events",
                    alerts=("EventsRejected",),
                    width=8,
                    empty="No event broke its schema",
                ),
                Panel(
                    "Events lost",
                    "Deleted before they were shipped, since the logs had used up their share of the disk: in 5 "
                    "minutes. Not written, on a full disk usually: since the process started, of the process with "
                    "most.",
                    (
                        Query(
                            f"sum by (service_name) (service:logging_lost_events:sum_5m{{{CHOSEN}}})"
                            f" or sum by (service_name) (0 * service:process_heartbeats:rate_5m{{{CHOSEN}}})",
                            "{{service_name}} deleted",
                        ),
                        Query(
                            f'max_over_time({_SAMPLES} | json failed_count="failed_count" '
                            '| unwrap failed_count | __error__="" [5m]) by (service_name)',
                            "{{service_name}} not written",
                            source="loki",
                        ),
                    ),
                    logs=f'{{event=~"logging.file_deleted|process.sampled", {CHOSEN}}} '
                    '| json failed_count="failed_count", lost_event_count="lost_event_count" '
                    '| failed_count!="" and failed_count > 0 or lost_event_count!="" and lost_event_count > 0',
                    alerts=("EventsLost",),
                    width=8,
                ),
            ),
        ),
        Row(
            "Volume and rules",
            (
                Panel(
                    "Lines stored per second, by event",
                    "What fills the store: 10 events with most lines.",
                    (Query(f'topk(10, sum by (event) (rate({{event=~".+", {CHOSEN}}} [5m])))', "{{event}}"),),
                    source="loki",
                    unit="cps",
                    logs=f'{{event=~".+", {CHOSEN}}}',
                    is_stacked=True,
                    width=8,
                    no_limit="how many there are follows the traffic.",
                ),
                Panel(
                    "Recorded series that arrive",
                    "Series the ruler wrote within 5 minutes. A fall to 0 means that the ruler or Prometheus is down.",
                    (Query('count({__name__=~".+:.+:.+"})', "series"),),
                    logs=_ALIVE,
                    runbooks=("PipelineAlive",),
                    width=8,
                    bad_below=1,
                    empty="No recorded series: the ruler or Prometheus is down",
                ),
                Panel(
                    "Signs of life in a minute",
                    "Heartbeats and reports of shippers that were stored. They come without traffic: as long as there "
                    "are any, PipelineAlive fires, and its silence is the alarm.",
                    (Query(f"sum(count_over_time({_ALIVE} [1m]))", "lines"),),
                    source="loki",
                    logs=_ALIVE,
                    runbooks=("PipelineAlive",),
                    width=8,
                    bad_below=1,
                    empty="No sign of life: nothing arrives",
                ),
                MetricPanel(
                    "log.message_recorded",
                    "log_messages",
                    is_stacked=True,
                    no_limit="how much is written differs from application to application.",
                ),
                MetricPanel(
                    "process.sampled",
                    "process_heartbeats",
                    runbooks=("AppDown",),
                    no_limit="AppDown asks whether any came within a minute; how many do depends on the number "
                    "of processes.",
                ),
            ),
        ),
        Row(
            "The lines",
            (
                Panel(
                    "Events that broke their schema or were lost",
                    "Newest first: which event, which field, how many.",
                    (Query(f'{{event=~"logging.event_rejected|logging.file_deleted", {CHOSEN}}}'),),
                    kind="logs",
                    source="loki",
                    logs=f'{{event=~"logging.event_rejected|logging.file_deleted", {CHOSEN}}}',
                    runbooks=("EventsRejected", "EventsLost"),
                    empty="No event broke its schema, and none was lost",
                ),
            ),
        ),
    ),
)
