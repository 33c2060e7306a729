"""Who uses the application, and for what: one event per action, and which of them are the first of a day.

In: a signed-in user's action. Out: `user.action_recorded`; one row per user, day and action. Never: what it was about.
"""

from __future__ import annotations

import datetime as dt

from django.db import connection
from django.utils import timezone

from calendar_sync.models import UserAction
from logging_pkg.instrumentation.user import listed, record_action

#: What this process knows to have been counted, so that an action costs queries once per user, process and day.
_MAX_KNOWN = 50_000
_known: dict[tuple[int, dt.date], set[str]] = {}
#: In place of an action's name: the row of a user's whole day.
_DAY = ""
_TABLE = UserAction._meta.db_table
_INSERT = f"INSERT INTO {_TABLE} (user_id, day, action) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"  # noqa: S608


def record(user_id: int, action: str) -> None:
    """Record that a user did something.

    Args:
        user_id: primary key of the user.
        action: one of USER_ACTIONS in LOGPIPE.

    Raises:
        InvalidEventError: in strict mode, for another one; nothing is stored. Elsewhere it counts as `other`.
    """
    action = listed(action)
    today = timezone.now().date()
    known = _known.get((user_id, today))
    if known is None:
        known = set(UserAction.objects.filter(user_id=user_id, day=today).values_list("action", flat=True))
        if len(_known) >= _MAX_KNOWN:
            _known.clear()
        _known[user_id, today] = known
    is_first_of_action = action not in known and _insert(user_id, today, action)
    is_first_of_day = _DAY not in known and _insert(user_id, today, _DAY)
    known |= {action, _DAY}
    record_action(action, user_id, is_first_of_day=is_first_of_day, is_first_of_action=is_first_of_action)


def _insert(user_id: int, day: dt.date, action: str) -> bool:
    """Whether the row was not there before: of several processes that try, one hears yes."""
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, [user_id, day, action])
        return bool(cursor.rowcount == 1)


def forget() -> None:
    """Ask the database again: for tests, where users come and go under the same keys."""
    _known.clear()
