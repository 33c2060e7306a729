"""Timeline: everything one cause set off.

In: nothing. Out: TIMELINE. Never: more than one cause.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import Dashboard, Panel, Query, Row, Variable

#: Each unit of work has an id of its own beside the correlation_id that it shares.
_IS_IT: Final = 'correlation_id="$id" or request_id="$id" or sync_id="$id" or api_call_id="$id"'
_REQUEST, _SYNC, _ATTEMPT = "http.request_finished", "sync.run_finished", "google_api.call_finished"
_NOTHING: Final = "Nothing has this id in this time range: paste a whole id above, or look further back"


#: What most lines are of, and what is never more than `info`: findings are looked for in the rest.
_NEVER_A_FINDING: Final = (
    "cache.usage_reported",
    "function.call_finished",
    "google_api.call_finished",
    "http.request_finished",
    "http_client.request_finished",
    "process.sampled",
)
_FINDINGS: Final = (
    f'{{event!~"{"|".join(_NEVER_A_FINDING)}", service_name=~".+"}} | {_IS_IT} | level=~"warning|error|critical"'
)


def _time(field: str, *events: str) -> str:
    """Of one field: a query for several events, since each reads all their lines of the time range."""
    return (
        f'sum by (event) (sum_over_time({{event=~"{"|".join(events)}"}} | {_IS_IT} | json {field}="{field}" '
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
    # Not empty at first: `sync_id=""` is true of each line that has none.
    variables=(
        Variable(
            "id", default="paste an id", description="A correlation_id, request_id, sync_id or api_call_id, whole"
        ),
    ),
    rows=(
        Row(
            "",
            (
                Panel(
                    "Where the time went",
                    "Time of each kind of work under this id. They lie within one another, so the sum is more than "
                    "the whole: `logpipe trace` draws them as a waterfall and shows what is unexplained.",
                    (
                        Query(_time("response_time_ms", _REQUEST), "{{event}}"),
                        Query(_time("duration_ms", _SYNC, _ATTEMPT, "function.call_finished"), "{{event}}"),
                        Query(_time("query_time_ms", _REQUEST, _SYNC), "SQL of {{event}}"),
                        Query(_time("cache_time_ms", _REQUEST), "cache of {{event}}"),
                        Query(_time("retry_delay_ms", _ATTEMPT), "waits before retries"),
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
                    (Query(_FINDINGS),),
                    kind="logs",
                    source="loki",
                    logs=_FINDINGS,
                    is_oldest_first=True,
                    empty="Nothing was noticed",
                ),
            ),
        ),
    ),
)
