"""Requests: which route is slow, failing or stuck, and why.

In: nothing. Out: REQUESTS. Never: what the database does below (Database has that).
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.catalogue.baselines import Compared, beside_baseline
from logging_pkg.pipeline.dashboards.limits import ABOVE_ZERO
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row, Variable

_ROUTE: Final = f'{CHOSEN}, route=~"$route"'
_REQUESTS: Final = f'{{event="http.request_finished", {CHOSEN}}} | json route="route"'
#: Also what other dashboards with a choice of routes use.
ROUTE_VARIABLE: Final = Variable(
    "route",
    'label_values(route_method_status_class:http_requests:rate_5m{service_name=~"$service_name", env=~"$env"}, route)',
    description="Routes as the URL configuration writes them",
)

REQUESTS: Final = Dashboard(
    uid="requests",
    title="Requests",
    description="Which route is slow, failing or stuck, since when, and the requests behind it.",
    guide=guides.REQUESTS,
    variables=(ROUTE_VARIABLE,),
    rows=(
        Row(
            "Routes",
            (
                Panel(
                    "Routes now",
                    "Each route's last 5 minutes. Sort by a column to find the worst.",
                    (
                        Query(
                            f"sum by (route) (route_method_status_class:http_requests:rate_5m{{{_ROUTE}}})",
                            "rate",
                            "reqps",
                        ),
                        Query(f"max by (route) (route:http_response_time_ms:p50_5m{{{_ROUTE}}})", "p50", "ms"),
                        Query(
                            f"max by (route) (route:http_response_time_ms:p95_5m{{{_ROUTE}}})",
                            "p95",
                            "ms",
                            alerts=("SlowRoute",),
                        ),
                        Query(f"max by (route) (route:http_response_time_ms:p99_5m{{{_ROUTE}}})", "p99", "ms"),
                        Query(
                            f"max by (route) (route:http_error_ratio:avg_5m{{{_ROUTE}}})",
                            "errors",
                            "percentunit",
                            alerts=("HighErrorRate",),
                        ),
                        Query(
                            f"max by (route) (route:http_queries_per_request:avg_5m{{{_ROUTE}}})",
                            "queries",
                            "short",
                            alerts=("ManyQueriesPerRequest",),
                        ),
                        Query(f"min by (route) (route:http_apdex_ratio:avg_5m{{{_ROUTE}}})", "apdex", "percentunit"),
                    ),
                    kind="table",
                    width=24,
                    logs=f'{_REQUESTS} | route=~"$route"',
                    runbooks=("SlowRoute",),
                    empty="No requests",
                ),
            ),
        ),
        Row(
            "Traffic and errors",
            (
                Panel(
                    "Requests per second, by route",
                    "All methods and status codes, over 5 minutes.",
                    (
                        Query(
                            f"sum by (route) (route_method_status_class:http_requests:rate_5m{{{_ROUTE}}})", "{{route}}"
                        ),
                    ),
                    unit="reqps",
                    logs=f'{_REQUESTS} | route=~"$route"',
                    empty="No requests",
                    no_limit="how many there are is the users' doing.",
                ),
                MetricPanel("http.request_finished", "http_error_ratio", ("HighErrorRate",)),
                Panel(
                    "Requests per second, by method and status",
                    "4xx are the callers' mistakes, 5xx the application's.",
                    (
                        Query(
                            "sum by (method, status_class) "
                            f"(route_method_status_class:http_requests:rate_5m{{{_ROUTE}}})",
                            "{{method}} {{status_class}}",
                        ),
                    ),
                    unit="reqps",
                    logs=f'{_REQUESTS}, method="method", status_class="status_class" | route=~"$route"',
                    is_stacked=True,
                    empty="No requests",
                    no_limit="how many there are is the users' doing; the share that fails is judged.",
                ),
                MetricPanel(
                    "http.request_finished",
                    "http_apdex",
                    no_limit="it sums up what p95 and error ratio say, which are judged.",
                ),
            ),
        ),
        Row(
            "Response time",
            (
                MetricPanel(
                    "http.request_finished",
                    "http_response_time",
                    ("SlowRoute",),
                    only=("p95",),
                ),
                MetricPanel(
                    "http.request_finished",
                    "http_response_time",
                    only=("p50", "p99"),
                    runbooks=("SlowRoute",),
                    no_limit="SlowRoute judges the p95, above or beside this.",
                ),
                MetricPanel(
                    "http.request_finished",
                    "http_queue_time",
                    empty="No server tells when a request came in",
                    no_limit="waiting is part of what users feel: WorkersSaturated judges its cause.",
                ),
                MetricPanel(
                    "http.slow_request_detected",
                    "http_slow_requests",
                    runbooks=("SlowRoute",),
                    no_limit="SlowRoute judges the p95: some slow requests are usual.",
                    empty="No request was over the slow threshold",
                ),
                MetricPanel(
                    "http.request_stuck",
                    "http_stuck_requests",
                    empty="No request was stuck",
                    bad_from=ABOVE_ZERO,
                ),
                MetricPanel(
                    "http.orphaned_work_detected",
                    "http_orphaned_work",
                    empty="No request left work behind",
                    no_limit="a client that goes away leaves work behind; it is a fault only where it is always "
                    "the same route.",
                ),
            ),
        ),
        beside_baseline(
            "route:http_response_time_ms:baseline_1h",
            Compared(
                "p95 beside its baseline, by route",
                "RouteLatencyRegressed",
                "route",
                f"route:http_response_time_ms:quartile_p95_45m{{{_ROUTE}}}",
                f"route:http_response_time_ms:p95_5m{{{_ROUTE}}}[45m]",
                f"route:http_response_time_ms:baseline_1h{{{_ROUTE}}}",
                f"route:http_response_time_ms:noise_1w{{{_ROUTE}}}",
                unit="ms",
                logs=f'{_REQUESTS}, response_time_ms="response_time_ms" | route=~"$route"',
            ),
            Compared(
                "Error ratio beside its baseline, by route",
                "RouteErrorsRegressed",
                "route",
                f"route:http_error_ratio:quartile_45m{{{_ROUTE}}}",
                f"route:http_error_ratio:avg_5m{{{_ROUTE}}}[45m]",
                f"route:http_error_ratio:baseline_1h{{{_ROUTE}}}",
                f"6 * route:http_errors:median_10m_1h{{{_ROUTE}}} / route:http_requests:count_1h{{{_ROUTE}}}",
                unit="percentunit",
                logs=f'{_REQUESTS}, is_error="is_error" | route=~"$route" | is_error = 1',
                noise_name="steady",
                noise_told="the hour by the median of its 10 minutes, which is what is held against chance.",
            ),
        ),
        Row(
            "The requests",
            (
                Panel(
                    "Requests that failed or were slow",
                    "Newest first. Open a line for its correlation_id, which leads to everything it set off.",
                    (
                        Query(
                            f'{_REQUESTS}, is_error="is_error", is_slow="is_slow" | route=~"$route" '
                            "| is_error = 1 or is_slow = 1"
                        ),
                    ),
                    kind="logs",
                    source="loki",
                    logs=f'{_REQUESTS}, is_error="is_error", is_slow="is_slow" | route=~"$route" '
                    "| is_error = 1 or is_slow = 1",
                    empty="No request failed or was slow in this time range",
                ),
            ),
        ),
    ),
)
