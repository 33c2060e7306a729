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

from calendar_sync.fake_google import calendar_list, event_listing, events, watch
from calendar_sync.fake_google.call import Operation
from calendar_sync.fake_google.messages import Request


@dataclass(frozen=True)
class Route:
    """Where a request goes. `operation` is None where the server has none; `path` holds decoded parameters."""

    name: str
    operation: Operation | None
    path: Mapping[str, str]


_LIST = re.compile(r"/calendar/v3/users/me/calendarList")
_ENTRY = re.compile(r"/calendar/v3/users/me/calendarList/(?P<calendarId>[^/]+)")
_EVENTS = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events")
_EVENT = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events/(?P<eventId>[^/]+)")
_INSTANCES = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events/(?P<eventId>[^/]+)/instances")
_WATCH_LIST = re.compile(r"/calendar/v3/users/me/calendarList/watch")
_WATCH_EVENTS = re.compile(r"/calendar/v3/calendars/(?P<calendarId>[^/]+)/events/watch")
_STOP = re.compile(r"/calendar/v3/channels/stop")

_ROUTES: tuple[tuple[str, re.Pattern[str], str, Operation], ...] = (
    ("GET", _LIST, "calendarList.list", calendar_list.list_calendars),
    ("GET", _ENTRY, "calendarList.get", calendar_list.get_calendar),
    ("GET", _EVENTS, "events.list", event_listing.list_events),
    ("GET", _INSTANCES, "events.instances", event_listing.list_instances),
    ("POST", _EVENTS, "events.insert", events.insert_event),
    ("GET", _EVENT, "events.get", events.get_event),
    ("PATCH", _EVENT, "events.patch", events.patch_event),
    ("PUT", _EVENT, "events.update", events.update_event),
    ("DELETE", _EVENT, "events.delete", events.delete_event),
    ("POST", _WATCH_LIST, "calendarList.watch", watch.watch_calendar_list),
    ("POST", _WATCH_EVENTS, "events.watch", watch.watch_events),
    ("POST", _STOP, "channels.stop", watch.stop_channel),
)


BATCH = "batch"
TOKEN = "oauth2.token"
REVOKE = "oauth2.revoke"
# What is no operation of the Calendar API.
_BESIDE = {"/batch/calendar/v3": BATCH, "/batch": BATCH, "/token": TOKEN, "/revoke": REVOKE}


def find(request: Request) -> Route:
    """The request's route. BATCH, TOKEN, REVOKE and `unknown`, when there is none, are without an operation."""
    if request.method == "POST" and request.path in _BESIDE:
        return Route(_BESIDE[request.path], None, {})
    for method, pattern, name, operation in _ROUTES:
        match = pattern.fullmatch(request.path) if method == request.method else None
        if match is not None:
            return Route(name, operation, {key: unquote(value) for key, value in match.groupdict().items()})
    return Route("unknown", None, {})
