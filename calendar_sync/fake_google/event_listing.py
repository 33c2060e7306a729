"""The operations that list events: list, instances.

In: an authenticated call.
Out: pages of events, or of a series' instances; ApiError otherwise.
Never: authentication, quota, faults.

Source: Google Calendar API reference v3, Events: list, instances; guide "Synchronize resources efficiently".
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

from calendar_sync.fake_google import listing
from calendar_sync.fake_google.call import Call, listed
from calendar_sync.fake_google.errors import not_found
from calendar_sync.fake_google.messages import ApiError, Resource, Response
from calendar_sync.fake_google.records import CalendarRecord, EventRecord
from calendar_sync.fake_google.times import moment

FORBIDDEN_WITH_SYNC_TOKEN = frozenset(
    {"iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax", "updatedMin"}
)
_LIST_PARAMETERS = frozenset(
    {
        "iCalUID", "maxResults", "orderBy", "pageToken", "q", "showDeleted", "singleEvents", "syncToken", "timeMax",
        "timeMin", "updatedMin",
    }
)  # fmt: skip
_INSTANCES_PARAMETERS = frozenset({"maxResults", "originalStart", "pageToken", "showDeleted", "timeMax", "timeMin"})
_HEAD = ("etag", "summary", "timeZone", "accessRole")
_DEFAULT_SIZE, _LARGEST_SIZE = 250, 2500


def list_events(call: Call) -> Response:
    """events.list: pages of at most 2,500, 250 by default. `singleEvents` has instances in place of their series."""
    calendar = call.calendar()
    call.check_sync_token(FORBIDDEN_WITH_SYNC_TOKEN, frozenset({"showDeleted"}))
    call.check_parameters(_LIST_PARAMETERS)
    order_by, single = call.query.get("orderBy", "startTime"), call.flag("singleEvents")
    if order_by not in {"startTime", "updated"}:
        raise ApiError(400, "badRequest", f"Invalid value '{order_by}'.", location="orderBy")
    if "orderBy" in call.query and order_by == "startTime" and not single:
        # As observed in googleworkspace/java-samples issue 52.
        message = "The requested ordering is not available for the particular query."
        raise ApiError(400, "invalid", message, location="orderBy")
    lower, upper = _range(call)
    page = listing.list_page(
        listing.Resource(f"events/{calendar.id}", calendar.token_epoch, call.store.instance, call.store.version),
        _expanded(calendar, lower, upper) if single else calendar.events.values(),
        call.query,
        sort_key=_by_start if order_by == "startTime" else _by_updated,
        keep=_filter(call, calendar, lower, upper),
        default_size=_DEFAULT_SIZE,
        largest_size=_LARGEST_SIZE,
        offers_sync_token=not FORBIDDEN_WITH_SYNC_TOKEN & call.query.keys(),
    )
    return _events(calendar, page)


def list_instances(call: Call) -> Response:
    """events.instances: the instances of a series, changed ones as they are; cancelled ones with `showDeleted`."""
    calendar = call.calendar()
    call.check_parameters(_INSTANCES_PARAMETERS)
    parent = calendar.events.get(call.path["eventId"])
    if parent is None or parent.series is None:
        raise not_found()
    lower, upper = _range(call)
    original, deleted = call.time_or_date("originalStart"), call.flag("showDeleted")
    in_range = _in_range(lower, upper)

    def keep(record: EventRecord) -> bool:
        return (
            (deleted or not record.deleted)
            and in_range(record)
            and (original is None or moment(record.resource["originalStartTime"]) == original)
        )

    page = listing.list_page(
        listing.Resource(f"instances/{calendar.id}/{parent.id}", 0, call.store.instance, call.store.version),
        _instances(calendar, parent, lower, upper),
        call.query,
        sort_key=_by_start,
        keep=keep,
        default_size=_DEFAULT_SIZE,
        largest_size=_LARGEST_SIZE,
        offers_sync_token=False,
    )
    return _events(calendar, page)


def _events(calendar: CalendarRecord, page: listing.Page[EventRecord]) -> Response:
    head: Resource = {key: calendar.entry[key] for key in _HEAD if key in calendar.entry}
    items = [record.resource for record in page.records]
    return listed("calendar#events", head, items, page.next_page_token, page.next_sync_token)


def _expanded(calendar: CalendarRecord, lower: dt.datetime | None, upper: dt.datetime | None) -> Iterator[EventRecord]:
    """Every event, in place of each series its instances, and tombstones of those it had before."""
    for record in calendar.events.values():
        if record.series is not None:
            yield from _instances(calendar, record, lower, upper)
        elif record.series_id is None:
            if not record.was_series:
                yield record
            yield from calendar.exceptions_of(record.id)
    yield from calendar.retired.values()


def _instances(
    calendar: CalendarRecord, parent: EventRecord, lower: dt.datetime | None, upper: dt.datetime | None
) -> Iterator[EventRecord]:
    """The instances of a series that may lie between the bounds; changed and cancelled ones wherever they lie."""
    exceptions = calendar.exceptions.get(parent.id, set())
    if parent.series is not None:
        for start in parent.series.starts(lower, upper):
            if parent.series.instance_id(start) not in exceptions:
                yield EventRecord(parent.series.instance(start), parent.version)
    yield from calendar.exceptions_of(parent.id)


def _range(call: Call) -> tuple[dt.datetime | None, dt.datetime | None]:
    """TimeMin and timeMax; raises ApiError 400 when the first is not before the second."""
    lower, upper = call.time("timeMin"), call.time("timeMax")
    if lower is not None and upper is not None and lower >= upper:
        raise ApiError(
            400, "timeRangeEmpty", "The specified time range is empty.", domain="calendar", location="timeMax"
        )
    return lower, upper


def _in_range(lower: dt.datetime | None, upper: dt.datetime | None) -> Callable[[EventRecord], bool]:
    """Whether an event ends after `lower` and starts before `upper`, a series whether one of its instances does.

    A tombstone without times is taken to do so: that it is gone concerns whoever had it.
    """

    def within(record: EventRecord) -> bool:
        resource = record.resource
        if record.series is not None:
            return next(record.series.starts(lower, upper), None) is not None
        start = resource.get("start") or resource.get("originalStartTime")
        if start is None:
            return True
        return (lower is None or moment(resource.get("end") or start) > lower) and (
            upper is None or moment(start) < upper
        )

    return within if (lower, upper) != (None, None) else lambda _: True


def _filter(
    call: Call, calendar: CalendarRecord, lower: dt.datetime | None, upper: dt.datetime | None
) -> Callable[[EventRecord], bool]:
    """The predicate of the filters in a query; each time bound is exclusive, as Google documents."""
    in_range = _in_range(lower, upper)
    deleted, single, updated = call.flag("showDeleted"), call.flag("singleEvents"), call.time("updatedMin")
    text, uid = call.query.get("q", "").casefold(), call.query.get("iCalUID")

    def shown(record: EventRecord) -> bool:
        if not record.deleted or deleted or updated is not None:
            return True
        # A cancelled instance of a living series is told to whoever is told of the series.
        parent = calendar.events.get(record.series_id or "")
        return not single and parent is not None and not parent.deleted

    def keep(record: EventRecord) -> bool:
        resource = record.resource
        return (
            shown(record)
            and in_range(record)
            and (updated is None or dt.datetime.fromisoformat(resource["updated"]) >= updated)
            and (not text or text in f"{resource.get('summary', '')} {resource.get('description', '')}".casefold())
            and (uid is None or resource.get("iCalUID") == uid)
        )

    return keep


def _by_start(event: EventRecord) -> tuple[str, str]:
    return (event.starts, event.id)


def _by_updated(event: EventRecord) -> tuple[str, str]:
    return (str(event.resource["updated"]), event.id)
