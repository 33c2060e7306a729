"""Users: how many are active, and how far they get.

In: nothing. Out: USERS. Never: a single user's steps.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_EVENT: Final = "user.action_recorded"
_PEOPLE: Final = "how many people do something is neither good nor bad; compare with last week."
_ACTIONS: Final = f'{{event="{_EVENT}", {CHOSEN}}}'

USERS: Final = Dashboard(
    uid="users",
    title="Users",
    description="How many users are active per day, what they do, and how far they get.",
    guide=guides.USERS,
    time_from="now-7d",
    rows=(
        Row(
            "Activity",
            (
                Panel(
                    "Active users per day",
                    "Users with at least one action, in 24 hours each. Every user counts once a day (UTC).",
                    (
                        Query(
                            f'sum(sum_over_time({_ACTIONS} | json is_first_of_day="is_first_of_day" '
                            '| unwrap is_first_of_day | __error__="" [1d]))',
                            "users",
                            step="1d",
                        ),
                    ),
                    source="loki",
                    logs=f'{_ACTIONS} | json is_first_of_day="is_first_of_day" | is_first_of_day = 1',
                    empty="No action of a user",
                    no_limit=_PEOPLE,
                ),
                MetricPanel(
                    _EVENT,
                    "user_active_users",
                    title="Users who became active, per hour",
                    no_limit=_PEOPLE,
                ),
                MetricPanel(
                    _EVENT,
                    "user_actions",
                    is_stacked=True,
                    no_limit=_PEOPLE,
                ),
                MetricPanel(
                    _EVENT,
                    "user_action_users",
                    no_limit=_PEOPLE,
                ),
            ),
        ),
        Row(
            "Funnel",
            (
                Panel(
                    "How far users get",
                    "Users who took each step in the time range, every user once a day; the most taken step first.",
                    (
                        Query(
                            f'sort_desc(sum by (action) (sum_over_time({_ACTIONS} | json action="action", '
                            'is_first_of_action="is_first_of_action" | unwrap is_first_of_action '
                            '| __error__="" [$__range])))',
                            "{{action}}",
                        ),
                    ),
                    kind="bargauge",
                    source="loki",
                    logs=f'{_ACTIONS} | json action="action", is_first_of_action="is_first_of_action" '
                    "| is_first_of_action = 1",
                    width=24,
                    empty="No action of a user",
                    no_limit=_PEOPLE,
                ),
            ),
        ),
    ),
)
