"""Google's quota: of a minute, of a day, of an account; used, and expected to be used.

In: nothing. Out: QUOTA. Never: a limit in numbers; each attempt's event tells those it was made under.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.model import CHOSEN, MetricPanel, Panel, Query, Row

_EVENT: Final = "google_api.call_finished"
_CALLS: Final = f'{{event="{_EVENT}", {CHOSEN}}}'


def _used(window: str, limit: str) -> str:
    """Share of a quota that is used, of lines: quota units over the limit they were used under."""
    keys = f'json project="project", quota_units="quota_units", {limit}="{limit}" | project=~"$project"'
    return (
        f'sum by (project) (sum_over_time({_CALLS} | {keys} | unwrap quota_units | __error__="" [{window}]))'
        f' / max_over_time({_CALLS} | {keys} | unwrap {limit} | __error__="" [{window}]) by (project)'
    )


def _of_day(statistic: str, field: str, window: str) -> str:
    """Of each project's quota day, which begins at midnight Pacific time."""
    keys = f'json project="project", quota_day="quota_day", {field}="{field}" | project=~"$project"'
    return f'{statistic}({_CALLS} | {keys} | unwrap {field} | __error__="" [{window}])'


_MOST_OF_USERS: Final = (
    f'topk(5, sum by (project, account_hash) (sum_over_time({_CALLS} | json project="project", '
    'account_hash="account_hash", quota_units="quota_units" | project=~"$project" | account_hash=~"$account" '
    '| account_hash!="" | unwrap quota_units | __error__="" [1m]))'
    f' / on (project) group_left () max_over_time({_CALLS} | json project="project", '
    'quota_user_minute_limit="quota_user_minute_limit" | project=~"$project" '
    '| unwrap quota_user_minute_limit | __error__="" [1m]) by (project))'
)
_BY_DAY: Final = "by (project, quota_day)"
_USED_OF_DAY: Final = f"sum {_BY_DAY} ({_of_day('sum_over_time', 'quota_units', '25h')})"
_LIMIT_OF_DAY: Final = f"on (project, quota_day) {_of_day('max_over_time', 'quota_day_limit', '25h')} {_BY_DAY}"
#: What the rate of the last hour will use until the day is over, in units.
_TO_COME: Final = (
    f"sum {_BY_DAY} ({_of_day('sum_over_time', 'quota_units', '1h')}) / 3600 "
    f"* on (project, quota_day) {_of_day('min_over_time', 'quota_day_left_s', '10m')} {_BY_DAY}"
)

QUOTA: Final = Row(
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
            (Query(f"{_USED_OF_DAY} / {_LIMIT_OF_DAY}", "{{project}} {{quota_day}}"),),
            kind="bargauge",
            source="loki",
            unit="percentunit",
            logs=f'{_CALLS} | json project="project", quota_day="quota_day" | project=~"$project"',
            alerts=("GoogleQuotaDay80", "GoogleQuotaDay95"),
            empty="No call to Google",
        ),
        Panel(
            "Day's quota expected to be used",
            "What is used, and what the rate of the last hour will use until midnight Pacific, of the quota of "
            "the day. GoogleQuotaDayRunsOut also asks that a tenth is used: before, an hour tells little.",
            (
                Query(
                    f"({_USED_OF_DAY} + on (project, quota_day) {_TO_COME}) / {_LIMIT_OF_DAY}",
                    "{{project}} {{quota_day}}",
                ),
            ),
            kind="bargauge",
            source="loki",
            unit="percentunit",
            logs=f'{_CALLS} | json project="project", quota_day="quota_day" | project=~"$project"',
            alerts=("GoogleQuotaDayRunsOut",),
            empty="No call to Google in the last 10 minutes",
        ),
        Panel(
            "Minute quota used, by account",
            "Share of the quota units an account of the project has for a minute; the five that use most. From "
            "100 % on Google refuses this account alone.",
            (Query(_MOST_OF_USERS, "{{project}} {{account_hash}}"),),
            source="loki",
            unit="percentunit",
            logs=f'{_CALLS} | json project="project", account_hash="account_hash", operation="operation" '
            '| project=~"$project" | account_hash=~"$account"',
            alerts=("GoogleUserQuotaMinute80",),
            empty="No call for an account",
        ),
        MetricPanel(
            _EVENT,
            "google_api_quota",
            runbooks=("GoogleQuotaMinute80",),
            no_limit="the limit is the project's own; its share of the limit is judged, by GoogleQuotaMinute80.",
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
)
