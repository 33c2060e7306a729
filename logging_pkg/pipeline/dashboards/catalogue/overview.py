"""Overview: is anything wrong, and where.

In: nothing. Out: OVERVIEW. Never: details; each panel's dashboard has those.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_RATE: Final = f"route_method_status_class:http_requests:rate_5m{{{CHOSEN}}}"
_REQUESTS: Final = f'{{event="http.request_finished", {CHOSEN}}}'
#: What alerts mostly are about; each alert's own lines are behind its `logs_url`.
_TROUBLE: Final = f'{{event=~".+", {CHOSEN}}} | level=~"warning|error|critical"'
_CHECKED: Final = "health.check_finished"
_CERTIFICATES: Final = (
    f'{{event="{_CHECKED}", {CHOSEN}}} | json check="check", tls_expires_in_days="tls_expires_in_days" '
    '| tls_expires_in_days!=""'
)
_FAILED: Final = f'{_REQUESTS} | json is_error="is_error", route="route", error_type="error_type" | is_error = 1'
#: Shares by route, weighted by the requests of each route: the share of all requests.
_ROUTE_RATE: Final = f"sum by (service_name, env, route) ({_RATE})"
_ON_ROUTE: Final = "on (service_name, env, route)"


def _of_all(share: str, by: str = "") -> str:
    # Divided by the requests of routes whose share is known: a new route's Apdex comes some minutes after its requests.
    chosen = f"{share}{{{CHOSEN}}}"
    return f"sum{by}({chosen} * {_ON_ROUTE} {_ROUTE_RATE}) / sum{by}({_ROUTE_RATE} and {_ON_ROUTE} {chosen})"


OVERVIEW: Final = Dashboard(
    uid="overview",
    title="Overview",
    description="Start here: is anything wrong now, since when, and which dashboard goes on from there.",
    guide=guides.OVERVIEW,
    time_from="now-3h",
    rows=(
        Row(
            "Now",
            (
                Panel(
                    "Alerts firing",
                    "Alerts of severity warning and critical. 0 also when the ruler is down: see Pipeline health.",
                    (Query(f'sum(ALERTS{{alertstate="firing", severity!="info", {CHOSEN}}}) or vector(0)'),),
                    kind="stat",
                    logs=_TROUBLE,
                    bad_from=1,
                ),
                Panel(
                    "Requests per second",
                    "All requests, over 5 minutes.",
                    (Query(f"sum({_RATE})"),),
                    kind="stat",
                    unit="reqps",
                    logs=_REQUESTS,
                    empty="No requests",
                    no_limit="how many there are is the users' doing.",
                ),
                Panel(
                    "Requests that fail",
                    "Share of requests that ended in a server error, over 5 minutes.",
                    (Query(_of_all("route:http_error_ratio:avg_5m")),),
                    kind="stat",
                    unit="percentunit",
                    logs=_FAILED,
                    alerts=("HighErrorRate",),
                    empty="No requests",
                ),
                Panel(
                    "Slowest route, p95",
                    "Response time that 5 of 100 requests to the slowest route exceed, over 5 minutes.",
                    (Query(f"max(route:http_response_time_ms:p95_5m{{{CHOSEN}}})"),),
                    kind="stat",
                    unit="ms",
                    logs=f'{_REQUESTS} | json route="route", is_slow="is_slow" | is_slow = 1',
                    alerts=("SlowRoute",),
                    empty="No requests",
                ),
                Panel(
                    "Syncs that succeed",
                    "The lower of the shares of calendar list syncs and event syncs that succeeded, over 5 minutes.",
                    (Query(f"min(resource:sync_success_ratio:avg_5m{{{CHOSEN}}})"),),
                    kind="stat",
                    unit="percentunit",
                    logs=f'{{event="sync.run_finished", {CHOSEN}}} | json outcome="outcome" | outcome="failed"',
                    alerts=("SyncFailing",),
                    empty="No syncs",
                ),
                Panel(
                    "Processes reporting",
                    "Heartbeats per 15 seconds, which is one per process. It falls before AppDown fires.",
                    (Query(f"sum(service:process_heartbeats:rate_5m{{{CHOSEN}}}) * 15"),),
                    kind="stat",
                    unit="short",
                    logs=f'{{event="process.sampled", {CHOSEN}}}',
                    runbooks=("AppDown",),
                    empty="No process reports: down, or its logs do not arrive",
                    no_limit="how many should run is known to nobody here; AppDown asks whether any does.",
                ),
            ),
        ),
        Row(
            "Alerts",
            (
                Panel(
                    "Alerts, pending and firing",
                    "One row per alert. The runbook of each is on the dashboard Runbooks, under its name. "
                    "PipelineAlive always fires: it is missed elsewhere when it stops.",
                    (
                        Query(
                            "sum by (alertname, alertstate, severity, service_name, env, route, project, shipper) "
                            f"(ALERTS{{{CHOSEN}}})",
                            "series",
                        ),
                    ),
                    kind="table",
                    logs=_TROUBLE,
                    width=24,
                    empty="No alert is pending or firing",
                    no_limit="each row is an alert with a limit of its own.",
                ),
            ),
        ),
        Row(
            "Requests",
            (
                Panel(
                    "Requests per second, by status",
                    "By class of status code, over 5 minutes. 5xx is what users see as broken.",
                    (Query(f"sum by (status_class) ({_RATE})", "{{status_class}}"),),
                    unit="reqps",
                    logs=f'{_REQUESTS} | json route="route", status_class="status_class"',
                    is_stacked=True,
                    empty="No requests",
                    no_limit="how many there are is the users' doing; the share that fails is judged.",
                ),
                MetricPanel("http.request_finished", "http_response_time", ("SlowRoute",), only=("p95",)),
                Panel(
                    "Share of requests that fail, by service",
                    "Server errors of all requests, over 5 minutes. The target is 1 %.",
                    (
                        Query(
                            _of_all("route:http_error_ratio:avg_5m", " by (service_name) "),
                            "{{service_name}}",
                        ),
                    ),
                    unit="percentunit",
                    logs=_FAILED,
                    alerts=("HighErrorRate",),
                    empty="No requests",
                ),
                Panel(
                    "Apdex, by service",
                    "1: all are content; below 0.85 many wait. Of a request 1, 0.5 or 0 by its response time.",
                    (
                        Query(
                            _of_all("route:http_apdex_ratio:avg_5m", " by (service_name) "),
                            "{{service_name}}",
                        ),
                    ),
                    unit="percentunit",
                    logs=f'{_REQUESTS} | json route="route", apdex="apdex" | apdex < 1',
                    empty="No requests",
                    no_limit="it sums up what p95 and error ratio say, which are judged.",
                ),
            ),
        ),
        Row(
            "From outside",
            (
                MetricPanel(
                    _CHECKED,
                    "health_check_up",
                    runbooks=("HealthCheckFailed",),
                    width=8,
                    no_limit="HealthCheckFailed asks whether one check of 2 minutes succeeded; below 1 some did not.",
                ),
                MetricPanel(
                    _CHECKED,
                    "health_check_duration",
                    runbooks=("HealthCheckFailed",),
                    width=8,
                    no_limit="a check that takes too long fails, which HealthCheckFailed judges.",
                ),
                Panel(
                    "Days until certificates expire, by check",
                    "As the prober sees them with each check; the least of 10 minutes.",
                    (
                        Query(
                            f'min_over_time({_CERTIFICATES} | unwrap tls_expires_in_days | __error__="" [10m]) '
                            "by (service_name, env, check)",
                            "{{check}}",
                            may_be_empty="only what is asked over HTTPS has a certificate",
                        ),
                    ),
                    source="loki",
                    unit="d",
                    logs=_CERTIFICATES,
                    alerts=("CertificateExpires",),
                    width=8,
                    empty="No check asks over HTTPS",
                ),
            ),
            needs="check:health_check_up_ratio:avg_5m",
        ),
        Row(
            "Errors and warnings",
            (
                Panel(
                    "Newest errors",
                    "Lines of level error and critical. Open one: its correlation_id leads to its timeline.",
                    (Query(f'{{event=~".+", {CHOSEN}}} | level=~"error|critical"'),),
                    kind="logs",
                    source="loki",
                    logs=f'{{event=~".+", {CHOSEN}}} | level=~"error|critical"',
                    empty="No errors in this time range",
                ),
            ),
        ),
    ),
)
