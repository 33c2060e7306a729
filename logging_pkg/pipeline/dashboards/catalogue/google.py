"""Google API and quota: is Google slow, refusing, or are we near the limit.

In: nothing. Out: GOOGLE. Never: an account's address; events hold its keyed hash.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.catalogue.baselines import Compared, beside_baseline
from logging_pkg.pipeline.dashboards.catalogue.quota import QUOTA
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row, Variable

_EVENT: Final = "google_api.call_finished"
_CALLS: Final = f'{{event="{_EVENT}", {CHOSEN}}}'
_HOSTS: Final = "what is usual differs from host to host; requests that wait for one are judged by their p95."
_LIMITED: Final = f'{_CALLS} | json project="project", is_rate_limited="is_rate_limited" | project=~"$project"'
#: Also what other dashboards with a choice of accounts use.
ACCOUNT_VARIABLE: Final = Variable(
    "account", default=".*", description="account_hash of one account, or a regular expression; .* is all of them"
)

GOOGLE: Final = Dashboard(
    uid="google",
    title="Google API and quota",
    description="Is Google slow or refusing, how much quota is used, by which project and operation.",
    guide=guides.GOOGLE,
    variables=(
        Variable(
            "project",
            'label_values(project:google_api_quota:sum_1m{service_name=~"$service_name", env=~"$env"}, project)',
            description="Google Cloud projects",
        ),
        ACCOUNT_VARIABLE,
    ),
    rows=(
        QUOTA,
        Row(
            "Calls",
            (
                MetricPanel(
                    _EVENT,
                    "google_api_calls",
                    is_stacked=True,
                    no_limit="how many there are depends on the number of accounts; the quota's shares are judged.",
                ),
                Panel(
                    "Google API error ratio, by operation",
                    "Share of attempts that failed, over 5 minutes, without those that were refused for the "
                    "quota (403, 429): "
                    "those are no errors of Google's, and have an alert of their own. It is what "
                    "GoogleApiErrors judges.",
                    (
                        Query(
                            f'avg_over_time({_CALLS} | json operation="operation", is_rate_limited="is_rate_limited", '
                            'is_error="is_error" | is_rate_limited="0" | unwrap is_error | __error__="" [5m]) '
                            "by (service_name, env, operation)",
                            "{{operation}}",
                        ),
                    ),
                    source="loki",
                    unit="percentunit",
                    logs=f'{_CALLS} | json operation="operation", is_rate_limited="is_rate_limited", '
                    'is_error="is_error" '
                    '| is_rate_limited="0" | is_error="1"',
                    alerts=("GoogleApiErrors",),
                    empty="No call to Google",
                ),
                MetricPanel(
                    _EVENT,
                    "google_api_error_ratio",
                    title="Google API attempts that failed or were refused, by operation",
                    runbooks=("GoogleApiErrors", "GoogleRateLimited"),
                    no_limit="GoogleApiErrors leaves refusals out: its panel is beside this one.",
                    empty="No call to Google",
                ),
                MetricPanel(
                    _EVENT,
                    "google_api_duration",
                    ("GoogleApiSlow",),
                    only=("p95",),
                ),
                MetricPanel(
                    _EVENT,
                    "google_api_items",
                    no_limit="how many there are depends on the calendars.",
                ),
                MetricPanel(
                    "http_client.request_finished",
                    "http_client_requests",
                    no_limit=_HOSTS,
                ),
                MetricPanel(
                    "http_client.request_finished",
                    "http_client_duration",
                    only=("p95",),
                    no_limit=_HOSTS,
                ),
                MetricPanel(
                    "http_client.request_finished",
                    "http_client_error_ratio",
                    no_limit=_HOSTS,
                ),
            ),
        ),
        beside_baseline(
            "operation:google_api_duration_ms:baseline_1h",
            Compared(
                "p95 of attempts beside its baseline, by operation",
                "GoogleLatencyRegressed",
                "operation",
                f"operation:google_api_duration_ms:quartile_p95_45m{{{CHOSEN}}}",
                f"operation:google_api_duration_ms:p95_5m{{{CHOSEN}}}[45m]",
                f"operation:google_api_duration_ms:baseline_1h{{{CHOSEN}}}",
                f"operation:google_api_duration_ms:noise_1w{{{CHOSEN}}}",
                unit="ms",
                logs=f'{_CALLS} | json operation="operation", duration_ms="duration_ms"',
            ),
        ),
        Row(
            "The attempts",
            (
                Panel(
                    "Attempts that failed or were told to slow down",
                    "Newest first; each is one HTTP attempt, retries included, with Google's reason.",
                    (
                        Query(
                            f'{_CALLS} | json project="project", account_hash="account_hash", is_error="is_error" '
                            '| project=~"$project" | account_hash=~"$account" | is_error = 1'
                        ),
                    ),
                    kind="logs",
                    source="loki",
                    logs=_LIMITED + " | is_rate_limited = 1",
                    runbooks=("GoogleRateLimited", "GoogleApiErrors"),
                    empty="No attempt failed in this time range",
                ),
            ),
        ),
    ),
)
