"""Google API and quota: is Google slow, refusing, or are we near the limit.

In: nothing. Out: GOOGLE. Never: an account's address; events hold its keyed hash.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row, Variable

_EVENT: Final = "google_api.call_finished"
_CALLS: Final = f'{{event="{_EVENT}", {CHOSEN}}}'
_PROJECT: Final = f'{CHOSEN}, project=~"$project"'
_HOSTS: Final = "what is usual differs from host to host; requests that wait for one are judged by their p95."
_LIMITED: Final = f'{_CALLS} | json project="project", is_rate_limited="is_rate_limited" | project=~"$project"'
#: Also what other dashboards with a choice of accounts use.
ACCOUNT_VARIABLE: Final = Variable(
    "account", default=".*", description="account_hash of one account, or a regular expression; .* is all of them"
)


def _used(window: str, limit: str) -> str:
    """Share of a quota that is used, of lines: quota units over the limit they were used under."""
    keys = f'json project="project", quota_units="quota_units", {limit}="{limit}" | project=~"$project"'
    return (
        f'sum by (project) (sum_over_time({_CALLS} | {keys} | unwrap quota_units | __error__="" [{window}]))'
        f' / max_over_time({_CALLS} | {keys} | unwrap {limit} | __error__="" [{window}]) by (project)'
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
        Row(
            "Quota",
            (
                Panel(
                    "Minute quota used, by project",
                    "Share of the project's quota units per minute. From 100 % on Google answers 403 or 429.",
                    (Query(_used("1m", "quota_minute_limit"), "{{project}}"),),
                    source="loki",
                    unit="percentunit",
                    logs=f'{_CALLS} | json project="project", operation="operation" | project=~"$project"',
                    alerts=("GoogleQuotaMinute80", "GoogleQuotaMinute95"),
                    empty="No call to Google",
                ),
                Panel(
                    "Day's quota used",
                    "Share of the project's quota units of the day, which begins at midnight Pacific time.",
                    (
                        Query(
                            "sum by (project, quota_day) (sum_over_time("
                            f'{_CALLS} | json project="project", quota_day="quota_day", quota_units="quota_units" '
                            '| project=~"$project" | unwrap quota_units | __error__="" [25h]))'
                            " / on (project, quota_day) max_over_time("
                            f'{_CALLS} | json project="project", quota_day="quota_day", '
                            'quota_day_limit="quota_day_limit" | project=~"$project" '
                            '| unwrap quota_day_limit | __error__="" [25h]) by (project, quota_day)',
                            "{{project}} {{quota_day}}",
                        ),
                    ),
                    kind="bargauge",
                    source="loki",
                    unit="percentunit",
                    logs=f'{_CALLS} | json project="project", quota_day="quota_day" | project=~"$project"',
                    alerts=("GoogleQuotaDay80", "GoogleQuotaDay95"),
                    runbooks=("GoogleQuotaDayRunsOut",),
                    empty="No call to Google",
                ),
                MetricPanel(
                    _EVENT,
                    "google_api_quota",
                    runbooks=("GoogleQuotaMinute80",),
                    no_limit="the limit is the project's own; its share of the limit is judged, by "
                    "GoogleQuotaMinute80.",
                ),
                MetricPanel(
                    _EVENT,
                    "google_api_quota_day",
                    runbooks=("GoogleQuotaDayRunsOut",),
                    no_limit="the limit is the project's own; its share of the limit is judged, by GoogleQuotaDay80.",
                ),
                Panel(
                    "Accounts that use most quota",
                    "Quota units of the 20 busiest accounts over the time range; each account has a limit per minute.",
                    (
                        Query(
                            "topk(20, sum by (account_hash, project) (sum_over_time("
                            f'{_CALLS} | json project="project", account_hash="account_hash", '
                            'quota_units="quota_units" | project=~"$project" | account_hash=~"$account" '
                            '| unwrap quota_units | __error__="" [$__range])))',
                            "units",
                        ),
                    ),
                    kind="table",
                    source="loki",
                    logs=f'{_CALLS} | json account_hash="account_hash" | account_hash=~"$account"',
                    runbooks=("GoogleUserQuotaMinute80",),
                    empty="No call to Google",
                    no_limit="GoogleUserQuotaMinute80 judges a minute; these are of the whole time range.",
                ),
                MetricPanel(
                    _EVENT,
                    "google_api_rate_limited_ratio",
                    alerts=("GoogleRateLimited",),
                    empty="No call to Google",
                ),
            ),
        ),
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
                    runbooks=("GoogleLatencyRegressed",),
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
