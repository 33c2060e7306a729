"""The operations on one event: get, insert, patch, update, delete. An instance of a series is an event, too.

In: an authenticated call.
Out: the event as Google documents it; ApiError otherwise.
Never: authentication, quota, faults.

Source: Google Calendar API reference v3, Events; guide "Recurring events".
"""

from __future__ import annotations

import re
import secrets

from calendar_sync.fake_google.call import Call
from calendar_sync.fake_google.errors import not_found
from calendar_sync.fake_google.messages import ApiError, Resource, Response
from calendar_sync.fake_google.recurrence import Series
from calendar_sync.fake_google.times import moment

_WRITE_PARAMETERS = frozenset({"sendUpdates", "sendNotifications"})
_EVENT_ID = re.compile(r"[a-v0-9]{5,1024}")
# What belongs to a series' instance for good.
_OF_AN_INSTANCE = frozenset({"recurringEventId", "originalStartTime"})
_READ_ONLY_FIELDS = _OF_AN_INSTANCE | {
    "kind", "etag", "id", "created", "updated", "htmlLink", "creator", "organizer",
}  # fmt: skip


def get_event(call: Call) -> Response:
    """events.get: tombstones are answered too, as Google does."""
    call.check_parameters()
    return Response(200, call.store.event(call.calendar(), call.path["eventId"]).resource)


def insert_event(call: Call) -> Response:
    """events.insert: the client may choose the ID; a used one is 409, a deleted event's included."""
    call.check_parameters(_WRITE_PARAMETERS)
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
    _check(resource)
    return Response(200, call.store.put_event(calendar, resource).resource)


def patch_event(call: Call) -> Response:
    """events.patch: fields in the body replace those of the event; If-Match is honoured (412)."""
    return _change(call, merge=True)


def update_event(call: Call) -> Response:
    """events.update: the body replaces the event's writable fields; If-Match is honoured (412)."""
    return _change(call, merge=False)


def delete_event(call: Call) -> Response:
    """events.delete: leaves a tombstone; a deleted event is 410 `deleted`."""
    call.check_parameters(_WRITE_PARAMETERS)
    calendar = call.calendar()
    event = call.store.event(calendar, call.path["eventId"])
    if event.deleted:
        raise ApiError(410, "deleted", "Resource has been deleted")
    call.check_precondition(event.resource["etag"])
    call.store.delete_event(calendar, event)
    return Response(204)


def _change(call: Call, *, merge: bool) -> Response:
    """Store the changed event. Status `cancelled` deletes it, which is how Google's guide cancels an instance."""
    call.check_parameters(_WRITE_PARAMETERS)
    calendar = call.calendar()
    event = call.store.event(calendar, call.path["eventId"])
    if event.deleted:
        raise not_found()
    call.check_precondition(event.resource["etag"])
    old = event.resource
    kept = old if merge else {key: old[key] for key in _READ_ONLY_FIELDS | {"iCalUID"} if key in old}
    resource = {**kept, **_writable(call.request.json()), "sequence": int(old.get("sequence", 0)) + 1}
    if resource.get("status") == "cancelled":
        return Response(200, call.store.delete_event(calendar, event).resource)
    _check(resource)
    return Response(200, call.store.put_event(calendar, resource).resource)


def _check(resource: Resource) -> None:
    """Raise ApiError 400 for times or a recurrence that make no event."""
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
    recurrence = resource.get("recurrence")
    if not recurrence:
        return
    if "dateTime" in resource["start"] and "timeZone" not in resource["start"]:
        raise ApiError(400, "required", "Missing time zone definition for start time.")
    if not isinstance(recurrence, list) or "recurringEventId" in resource:
        raise ApiError(400, "invalid", "Invalid value for: recurrence.", location="recurrence")
    try:
        Series(resource)
    except ValueError as error:
        raise ApiError(400, "invalid", f"Invalid recurrence rule. ({error})", location="recurrence") from error


def _writable(body: Resource) -> Resource:
    return {key: value for key, value in body.items() if key not in _READ_ONLY_FIELDS}
