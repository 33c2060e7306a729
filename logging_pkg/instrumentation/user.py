"""Tell what users do with the application, for engagement: active users, funnels.

In: an action's name, a user, whether it is the first of its day. Out: `user.action_recorded`. Never: a name that is not
listed, an address, what the action was about.
"""

from __future__ import annotations

from logging_pkg import conf
from logging_pkg.exceptions import InvalidEventError
from logging_pkg.instrumentation.guard import emit_safely
from logging_pkg.instrumentation.identity import user_id_of

#: In place of a name that is not listed.
UNLISTED = "other"


def listed(action: str) -> str:
    """The name that an action is recorded under: its own where the setting USER_ACTIONS lists it, else `other`.

    Raises:
        InvalidEventError: in strict mode, for a name that is not listed.
    """
    settings = conf.settings()
    if action in settings.user_actions:
        return action
    if settings.strict:
        known = ", ".join(settings.user_actions) or "none yet"
        problem = f'user.action_recorded: the action "{action[:64]}" is not in USER_ACTIONS (listed: {known})'
        raise InvalidEventError("user.action_recorded", [problem])
    return UNLISTED


def record_action(action: str, user: object, *, is_first_of_day: bool, is_first_of_action: bool) -> None:
    """Emit `user.action_recorded`.

    Args:
        action: one of the setting USER_ACTIONS, which keeps the number of names bounded.
        user: the user's primary key.
        is_first_of_day: whether it is the user's first action today, which the application has to know: no process sees
            all of a user's actions. Summed over a day it counts the active users, however many there are.
        is_first_of_action: the same among actions of this name; ask `listed` for the name first, or an action that is
            not listed is a first one of `other` more than once.

    Raises:
        InvalidEventError: in strict mode, for a name that is not listed. Elsewhere it is recorded as `other`.
    """
    emit_safely(
        "user.action_recorded",
        {
            "action": listed(action),
            "user_id": user_id_of(user),
            "is_first_of_day": int(is_first_of_day),
            "is_first_of_action": int(is_first_of_action),
        },
    )
