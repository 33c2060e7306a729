"""Database: too many queries, slow ones, and what would help.

In: nothing. Out: DATABASE. Never: SQL with values; events hold fingerprints.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.catalogue.baselines import Compared, beside_baseline
from logging_pkg.pipeline.dashboards.catalogue.requests import ROUTE_VARIABLE
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_ROUTE: Final = f'{CHOSEN}, route=~"$route"'
_QUERIES: Final = f'{{event="http.request_finished", {CHOSEN}}} | json route="route", query_count="query_count"'
_N_PLUS_ONES: Final = f'{{event="db.n_plus_one_detected", {CHOSEN}}}'
_SLOW: Final = f'{{event="db.slow_query_detected", {CHOSEN}}}'
_HINT: Final = "a plan is a hint, not a fault; slow queries are judged by SlowQueries."
_EXPLAINED: Final = f'{{event="db.query_explained", {CHOSEN}}}'

DATABASE: Final = Dashboard(
    uid="database",
    title="Database",
    description="Which route asks the database too often or too slowly, from which line of code; would an index help.",
    guide=guides.DATABASE,
    variables=(ROUTE_VARIABLE,),
    rows=(
        Row(
            "Queries of requests",
            (
                MetricPanel(
                    "http.request_finished",
                    "http_queries_per_request",
                    runbooks=("ManyQueriesPerRequest",),
                    description="Mean over 5 minutes. A page that grows with its data is an N+1; the target is 5.",
                    no_limit="ManyQueriesPerRequest judges the mean of an hour, below.",
                ),
                MetricPanel(
                    "db.high_query_count_detected",
                    "db_high_query_counts",
                    title="Requests with too many queries per second, by route",
                    alerts=("TooManyQueries",),
                    empty="No request was over the query count threshold",
                ),
                MetricPanel(
                    "db.n_plus_one_detected",
                    "db_n_plus_ones",
                    title="N+1 found per second, by route",
                    alerts=("NPlusOneFound",),
                    empty="No N+1 found",
                ),
                MetricPanel(
                    "db.slow_query_detected",
                    "db_slow_queries",
                    title="Slow queries per second, by alias, route",
                    alerts=("SlowQueries",),
                    empty="No query was slow",
                ),
            ),
        ),
        Row(
            "Queries of an hour",
            (
                Panel(
                    "Queries per request over an hour, by route",
                    "Mean over the requests of an hour, each counted once. A page that grows with its data is an N+1.",
                    (Query(f"route:http_queries_per_request:avg_1h{{{_ROUTE}}}", "{{route}}"),),
                    logs=f'{_QUERIES} | route=~"$route"',
                    alerts=("ManyQueriesPerRequest",),
                    width=24,
                    empty="No requests",
                ),
            ),
            needs="route:http_queries_per_request:avg_1h",
        ),
        beside_baseline(
            "route:http_queries_per_request:baseline_1h",
            Compared(
                "Queries per request beside their baseline, by route",
                "RouteQueriesRegressed",
                "route",
                f"route:http_queries_per_request:quartile_45m{{{_ROUTE}}}",
                f"route:http_queries_per_request:avg_5m{{{_ROUTE}}}[45m]",
                f"route:http_queries_per_request:baseline_1h{{{_ROUTE}}}",
                f"route:http_queries_per_request:noise_1w{{{_ROUTE}}}",
                unit="short",
                logs=f'{_QUERIES} | route=~"$route"',
            ),
        ),
        Row(
            "Where in the code",
            (
                Panel(
                    "N+1, the 20 most frequent",
                    "Line of code, route and query shape, counted over the time range.",
                    (
                        Query(
                            "topk(20, sum by (route, caller, fingerprint) (count_over_time("
                            f'{_N_PLUS_ONES} | json route="route", caller="caller", fingerprint="fingerprint" '
                            '| route=~"$route" [$__range])))',
                            "findings",
                        ),
                    ),
                    kind="table",
                    source="loki",
                    logs=f'{_N_PLUS_ONES} | json route="route" | route=~"$route"',
                    runbooks=("NPlusOneFound",),
                    empty="No N+1 found in this time range",
                    no_limit="NPlusOneFound counts over 15 minutes and a whole route; these are of the whole "
                    "time range.",
                ),
                Panel(
                    "Slow queries, the 20 that took most time",
                    "Line of code, route and query shape; time of all slow runs in the time range together.",
                    (
                        Query(
                            "topk(20, sum by (route, caller, fingerprint) (sum_over_time("
                            f'{_SLOW} | json route="route", caller="caller", fingerprint="fingerprint", '
                            'duration_ms="duration_ms" | route=~"$route" '
                            '| unwrap duration_ms | __error__="" [$__range])))',
                            "time",
                        ),
                    ),
                    kind="table",
                    source="loki",
                    unit="ms",
                    logs=f'{_SLOW} | json route="route" | route=~"$route"',
                    runbooks=("SlowQueries",),
                    empty="No query was slow in this time range",
                    no_limit="SlowQueries counts over 15 minutes; this is the time of the whole time range.",
                ),
            ),
        ),
        Row(
            "Plans of slow queries",
            (
                MetricPanel(
                    "db.query_explained",
                    "db_missing_indexes_explained",
                    title="Plans that want an index, in 5m, by alias, route",
                    empty="No plan asks for an index",
                    no_limit=_HINT,
                ),
                MetricPanel(
                    "db.query_explained",
                    "db_full_scans_explained",
                    title="Plans that read a whole table, in 5m, by alias, route",
                    empty="No plan reads a whole large table",
                    no_limit=_HINT,
                ),
                MetricPanel(
                    "db.query_explained",
                    "db_queries_explained",
                    title="Plans asked for per second, by alias, outcome",
                    width=24,
                    empty="No plan was asked for",
                    no_limit=_HINT,
                ),
                Panel(
                    "Plans",
                    "Findings and plan of each slow SELECT that was explained. Newest first.",
                    (Query(f'{_EXPLAINED} | json route="route" | route=~"$route"'),),
                    kind="logs",
                    source="loki",
                    logs=f'{_EXPLAINED} | json route="route" | route=~"$route"',
                    empty="No plan was asked for in this time range",
                ),
            ),
        ),
    ),
)
