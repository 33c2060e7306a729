"""Timeline: everything one cause set off.

In: nothing. Out: TIMELINE. Never: more than one cause.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import Dashboard, Panel, Query, Row, Variable

#: Each unit of work has an id of its own beside the correlation_id that it shares.
_IS_IT: Final = 'correlation_id="$id" or request_id="$id" or sync_id="$id" or api_call_id="$id"'
_NOTHING: Final = "Nothing has this id in this time range: paste a whole id above, or look further back"


def _time(event: str, field: str) -> str:
    return (
        f'sum(sum_over_time({{event="{event}"}} | {_IS_IT} | json {field}="{field}" '
        f'| unwrap {field} | __error__="" [$__range]))'
    )


TIMELINE: Final = Dashboard(
    uid="timeline",
    title="Timeline of one correlation_id",
    description="Paste an id, or follow the link of a log line: everything one cause set off, in order.",
    guide=guides.TIMELINE,
    time_from="now-24h",
    has_services=False,
    is_live=False,
    variables=(Variable("id", description="A correlation_id, request_id, sync_id or api_call_id, whole"),),
    rows=(
        Row(
            "",
            (
                Panel(
                    "Where the time went",
                    "Time of each kind of work under this id. They lie within one another, so the sum is more than "
                    "the whole: `logpipe trace` draws them as a waterfall and shows what is unexplained.",
                    (
                        Query(_time("http.request_finished", "response_time_ms"), "requests"),
                        Query(_time("http.request_finished", "query_time_ms"), "SQL of requests"),
                        Query(_time("http.request_finished", "cache_time_ms"), "cache in requests"),
                        Query(_time("sync.run_finished", "duration_ms"), "syncs"),
                        Query(_time("sync.run_finished", "query_time_ms"), "SQL of syncs"),
                        Query(_time("google_api.call_finished", "duration_ms"), "Google API attempts"),
                        Query(_time("google_api.call_finished", "retry_delay_ms"), "waits before retries"),
                        Query(_time("function.call_finished", "duration_ms"), "tracked functions"),
                    ),
                    kind="bargauge",
                    source="loki",
                    unit="ms",
                    logs=f'{{service_name=~".+"}} | {_IS_IT}',
                    empty=_NOTHING,
                    no_limit="what is long depends on what it was; slow requests and queries are under Findings "
                    "and errors.",
                ),
                Panel(
                    "Events by kind",
                    "How many events of each kind are under this id, and in which service.",
                    (
                        Query(
                            f'sum by (service_name, event, level) (count_over_time({{service_name=~".+"}} | {_IS_IT} '
                            "[$__range]))",
                            "events",
                        ),
                    ),
                    kind="table",
                    source="loki",
                    logs=f'{{service_name=~".+"}} | {_IS_IT}',
                    empty=_NOTHING,
                    no_limit="how many there are depends on what it was.",
                ),
                Panel(
                    "Events in order",
                    "As written, the oldest first. Open a line for its fields; an event stands at the end of its work.",
                    (Query(f'{{service_name=~".+"}} | {_IS_IT}'),),
                    kind="logs",
                    source="loki",
                    logs=f'{{service_name=~".+"}} | {_IS_IT}',
                    is_oldest_first=True,
                    empty=_NOTHING,
                ),
                Panel(
                    "Findings and errors",
                    "What was noticed: N+1, slow queries and requests, warnings and errors.",
                    (Query(f'{{service_name=~".+"}} | {_IS_IT} | level=~"warning|error|critical"'),),
                    kind="logs",
                    source="loki",
                    logs=f'{{service_name=~".+"}} | {_IS_IT} | level=~"warning|error|critical"',
                    is_oldest_first=True,
                    empty="Nothing was noticed",
                ),
            ),
        ),
    ),
)
