"""The operations on an account's list of calendars: list, get.

In: an authenticated call.
Out: the resource Google documents for that operation; ApiError otherwise.
Never: authentication, quota, faults.

Source: Google Calendar API reference v3, CalendarList; guide "Synchronize resources efficiently".
"""

from __future__ import annotations

from calendar_sync.fake_google import listing
from calendar_sync.fake_google.call import Call, listed
from calendar_sync.fake_google.errors import invalid_parameter
from calendar_sync.fake_google.messages import Response
from calendar_sync.fake_google.records import CalendarRecord

# From the least to the most that may be done.
ACCESS_ROLES = ("freeBusyReader", "reader", "writerWithoutPrivateAccess", "writer", "owner")
_PARAMETERS = frozenset({"maxResults", "minAccessRole", "pageToken", "showDeleted", "showHidden", "syncToken"})
_FORBIDDEN_WITH_SYNC_TOKEN = frozenset({"minAccessRole", "showOwnOrganizationOnly"})
_ONLY_TRUE_WITH_SYNC_TOKEN = frozenset({"showDeleted", "showHidden"})


def list_calendars(call: Call) -> Response:
    """calendarList.list: pages of at most 250, 100 by default. With a sync token, hidden and deleted ones too."""
    call.check_sync_token(_FORBIDDEN_WITH_SYNC_TOKEN, _ONLY_TRUE_WITH_SYNC_TOKEN)
    call.check_parameters(_PARAMETERS)
    deleted, hidden, lowest = call.flag("showDeleted"), call.flag("showHidden"), _lowest_role(call)

    def keep(record: CalendarRecord) -> bool:
        entry = record.entry
        return (
            (deleted or not record.deleted)
            and (hidden or not entry.get("hidden"))
            and ACCESS_ROLES.index(entry["accessRole"]) >= lowest
        )

    resource = listing.Resource("calendarList", call.account.token_epoch, call.store.instance, call.store.version)
    page = listing.list_page(
        resource,
        call.account.calendars.values(),
        call.query,
        sort_key=lambda record: (record.id, ""),
        keep=keep,
        default_size=100,
        largest_size=250,
        offers_sync_token=not _FORBIDDEN_WITH_SYNC_TOKEN & call.query.keys(),
    )
    items = [record.entry for record in page.records]
    return listed("calendar#calendarList", {}, items, page.next_page_token, page.next_sync_token)


def get_calendar(call: Call) -> Response:
    """calendarList.get: one calendar's entry."""
    call.check_parameters()
    return Response(200, call.calendar().entry)


def _lowest_role(call: Call) -> int:
    role = call.query.get("minAccessRole", ACCESS_ROLES[0])
    if role not in ACCESS_ROLES:
        raise invalid_parameter("minAccessRole", f"Invalid value '{role}'. Allowed values: {', '.join(ACCESS_ROLES)}.")
    return ACCESS_ROLES.index(role)
