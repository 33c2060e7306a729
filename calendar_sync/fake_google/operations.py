"""The operations of Calendar API v3 that the server knows, over the store.

In: an authenticated account, path parameters and the request.
Out: the resource Google documents for that operation; ApiError otherwise.
Never: authentication, quota, faults; a parameter it does not implement is refused, not ignored.

Source: Google Calendar API reference v3 (CalendarList: list; Events: list, get, insert, patch, update, delete) and its
guide "Synchronize resources efficiently" (sync tokens, 410, parameters that a sync token forbids).
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from calendar_sync.fake_google import listing
from calendar_sync.fake_google.errors import invalid_parameter, not_found, precondition_failed
from calendar_sync.fake_google.messages import ApiError, Request, Resource, Response
from calendar_sync.fake_google.store import Account, CalendarRecord, EventRecord, Store

FORBIDDEN_WITH_SYNC_TOKEN = frozenset(
    {"iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin"}
)
# What google-api-python-client and any HTTP client may add; none changes the answer here.
_COMMON_PARAMETERS = frozenset({"alt", "prettyPrint", "quotaUser", "key"})
_EVENT_LIST_PARAMETERS = _COMMON_PARAMETERS | {
    "iCalUID", "maxResults", "orderBy", "pageToken", "q", "showDeleted", "singleEvents", "syncToken", "timeMax",
    "timeMin", "updatedMin",
}  # fmt: skip
_CALENDAR_LIST_PARAMETERS = _COMMON_PARAMETERS | {"maxResults", "pageToken", "showDeleted", "syncToken"}
_WRITE_PARAMETERS = _COMMON_PARAMETERS | {"sendUpdates", "sendNotifications"}
_EVENT_ID = re.compile(r"[a-v0-9]{5,1024}")
_READ_ONLY_FIELDS = frozenset({"kind", "etag", "id", "created", "updated", "htmlLink", "creator", "organizer"})

Operation = Callable[["Call"], Response]


@dataclass(frozen=True)
class Call:
    """One authenticated call: who asks, for what. `path` holds the path parameters, percent-decoded."""

    store: Store
    account: Account
    request: Request
    path: Mapping[str, str]

    def calendar(self) -> CalendarRecord:
        return self.store.calendar(self.account, self.path["calendarId"])


def list_calendars(call: Call) -> Response:
    """calendarList.list: pages of at most 250, 100 by default."""
    query = call.request.query
    _check_parameters(query, _CALENDAR_LIST_PARAMETERS)
    resource = listing.Resource("calendarList", call.account.token_epoch, call.store.instance, call.store.version)
    page = listing.list_page(
        resource,
        call.account.calendars.values(),
        query,
        sort_key=lambda record: (record.id, ""),
        keep=lambda _: True,
        default_size=100,
        largest_size=250,
    )
    items = [record.entry for record in page.records]
    return _listed("calendar#calendarList", {}, items, page.next_page_token, page.next_sync_token)


def list_events(call: Call) -> Response:
    """events.list: pages of at most 2,500, 250 by default."""
    query = call.request.query
    calendar = call.calendar()
    _check_parameters(query, _EVENT_LIST_PARAMETERS)
    forbidden = sorted(FORBIDDEN_WITH_SYNC_TOKEN & query.keys())
    if "syncToken" in query and forbidden:
        message = f"Sync token cannot be used with the following parameters: {', '.join(forbidden)}."
        raise ApiError(400, "badRequest", message, location="syncToken")
    order_by = query.get("orderBy", "startTime")
    if order_by not in {"startTime", "updated"}:
        raise ApiError(400, "badRequest", f"Invalid value '{order_by}'.", location="orderBy")
    resource = listing.Resource(f"events/{calendar.id}", calendar.token_epoch, call.store.instance, call.store.version)
    page = listing.list_page(
        resource,
        calendar.events.values(),
        query,
        sort_key=_by_start if order_by == "startTime" else _by_updated,
        keep=_filter(query),
        default_size=250,
        largest_size=2500,
        offers_sync_token=not forbidden,
    )
    head: Resource = {
        key: calendar.entry[key] for key in ("etag", "summary", "timeZone", "accessRole") if key in calendar.entry
    }
    items = [record.resource for record in page.records]
    return _listed("calendar#events", head, items, page.next_page_token, page.next_sync_token)


def get_event(call: Call) -> Response:
    """events.get: tombstones are answered too, as Google does."""
    _check_parameters(call.request.query, _COMMON_PARAMETERS)
    return Response(200, call.store.event(call.calendar(), call.path["eventId"]).resource)


def insert_event(call: Call) -> Response:
    """events.insert: the client may choose the ID; a used one is 409, a deleted event's included."""
    _check_parameters(call.request.query, _WRITE_PARAMETERS)
    calendar, body = call.calendar(), call.request.json()
    event_id = body.get("id", secrets.token_hex(13))
    if not isinstance(event_id, str) or not _EVENT_ID.fullmatch(event_id):
        raise ApiError(400, "invalid", "Invalid resource id value.", location="id")
    if event_id in calendar.events:
        raise ApiError(409, "duplicate", "The requested identifier already exists.")
    owned = {
        "id": event_id,
        "iCalUID": body.get("iCalUID", f"{event_id}@google.com"),
        "creator": {"email": call.account.email, "self": True},
        "organizer": {"email": calendar.id, "displayName": calendar.entry["summary"], "self": True},
        "sequence": 0,
        "eventType": "default",
    }
    resource = {**_writable(body), **owned}
    _check_times(resource)
    return Response(200, call.store.put_event(calendar, resource).resource)


def patch_event(call: Call) -> Response:
    """events.patch: fields in the body replace those of the event; If-Match is honoured (412)."""
    return _change(call, merge=True)


def update_event(call: Call) -> Response:
    """events.update: the body replaces the event's writable fields; If-Match is honoured (412)."""
    return _change(call, merge=False)


def delete_event(call: Call) -> Response:
    """events.delete: leaves a tombstone; a deleted event is 410 `deleted`."""
    _check_parameters(call.request.query, _WRITE_PARAMETERS)
    calendar = call.calendar()
    event = call.store.event(calendar, call.path["eventId"])
    if event.deleted:
        raise ApiError(410, "deleted", "Resource has been deleted")
    _check_precondition(call.request, event)
    call.store.delete_event(calendar, event)
    return Response(204)


def _change(call: Call, *, merge: bool) -> Response:
    _check_parameters(call.request.query, _WRITE_PARAMETERS)
    calendar = call.calendar()
    event = call.store.event(calendar, call.path["eventId"])
    if event.deleted:
        raise not_found()
    _check_precondition(call.request, event)
    old = event.resource
    kept = old if merge else {key: old[key] for key in _READ_ONLY_FIELDS | {"iCalUID"} if key in old}
    resource = {**kept, **_writable(call.request.json()), "sequence": int(old.get("sequence", 0)) + 1}
    _check_times(resource)
    return Response(200, call.store.put_event(calendar, resource).resource)


def _listed(
    kind: str, head: Resource, items: list[Resource], next_page_token: str | None, next_sync_token: str | None
) -> Response:
    body: Resource = {"kind": kind, **head, "items": items}
    if next_page_token is not None:
        body["nextPageToken"] = next_page_token
    if next_sync_token is not None:
        body["nextSyncToken"] = next_sync_token
    return Response(200, body)


def _check_parameters(query: Mapping[str, str], known: frozenset[str]) -> None:
    for name in sorted(query.keys() - known):
        raise invalid_parameter(name, f"This server does not implement the parameter {name}.")


def _check_precondition(request: Request, event: EventRecord) -> None:
    wanted = request.headers.get("if-match")
    if wanted is not None and wanted not in {"*", event.resource["etag"]}:
        raise precondition_failed()


def _check_times(resource: Resource) -> None:
    for name in ("start", "end"):
        value = resource.get(name)
        if not isinstance(value, dict):
            raise ApiError(400, "required", f"Missing {name} time.")
        try:
            moment(value)
        except ValueError as error:
            raise ApiError(400, "invalid", f"Invalid value for: {name}.", location=name) from error
    if moment(resource["end"]) < moment(resource["start"]):
        raise ApiError(400, "timeRangeEmpty", "The specified time range is empty.", domain="calendar")


def _writable(body: Resource) -> Resource:
    return {key: value for key, value in body.items() if key not in _READ_ONLY_FIELDS}


def moment(value: Resource) -> dt.datetime:
    """An event's `start` or `end` as an aware time, a date as its midnight in UTC; ValueError when it is neither."""
    text = value.get("dateTime") or value.get("date")
    if text is None or not isinstance(text, str):
        raise ValueError("neither dateTime nor date")
    parsed = dt.datetime.fromisoformat(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=dt.UTC)


def _filter(query: Mapping[str, str]) -> Callable[[EventRecord], bool]:
    """The predicate of the filters in a query; each time bound is exclusive, as Google documents."""
    lower, upper, updated = (_time_parameter(query, name) for name in ("timeMin", "timeMax", "updatedMin"))
    text, uid = query.get("q", "").casefold(), query.get("iCalUID")

    def keep(event: EventRecord) -> bool:
        resource = event.resource
        return (
            (lower is None or moment(resource["end"]) > lower)
            and (upper is None or moment(resource["start"]) < upper)
            and (updated is None or dt.datetime.fromisoformat(resource["updated"]) >= updated)
            and (not text or text in f"{resource.get('summary', '')} {resource.get('description', '')}".casefold())
            and (uid is None or resource.get("iCalUID") == uid)
        )

    return keep


def _time_parameter(query: Mapping[str, str], name: str) -> dt.datetime | None:
    if name not in query:
        return None
    try:
        value = dt.datetime.fromisoformat(query[name])
    except ValueError as error:
        raise ApiError(400, "badRequest", "Bad Request", location=name) from error
    if value.tzinfo is None:
        raise ApiError(400, "badRequest", "Bad Request", location=name)
    return value


def _by_start(event: EventRecord) -> tuple[str, str]:
    return (event.starts, event.id)


def _by_updated(event: EventRecord) -> tuple[str, str]:
    return (str(event.resource["updated"]), event.id)
