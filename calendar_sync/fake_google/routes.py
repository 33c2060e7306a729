"""Which operation a request is for.

In: a request's method and path.
Out: the operation's name, as in Google's reference, its function and its path parameters.
Never: a look at query, headers or body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from calendar_sync.fake_google import operations
from calendar_sync.fake_google.messages import Request


@dataclass(frozen=True)
class Route:
    """Where a request goes. `operation` is None where the server has none; `path` holds decoded parameters."""

    name: str
    operation: operations.Operation | None
    path: Mapping[str, str]


_CALENDAR_LIST = re.compile(r"/calendar/v3/users/me/calendarList")
_EVENTS = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events")
_EVENT = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events/(?P<eventId>[^/]+)")

_ROUTES: tuple[tuple[str, re.Pattern[str], str, operations.Operation], ...] = (
    ("GET", _CALENDAR_LIST, "calendarList.list", operations.list_calendars),
    ("GET", _EVENTS, "events.list", operations.list_events),
    ("POST", _EVENTS, "events.insert", operations.insert_event),
    ("GET", _EVENT, "events.get", operations.get_event),
    ("PATCH", _EVENT, "events.patch", operations.patch_event),
    ("PUT", _EVENT, "events.update", operations.update_event),
    ("DELETE", _EVENT, "events.delete", operations.delete_event),
)


def find(request: Request) -> Route:
    """The request's route; `unknown` without an operation when there is none."""
    for method, pattern, name, operation in _ROUTES:
        match = pattern.fullmatch(request.path) if method == request.method else None
        if match is not None:
            return Route(name, operation, {key: unquote(value) for key, value in match.groupdict().items()})
    return Route("unknown", None, {})
