"""Controls of the calendars' data: what somebody would do in Google Calendar, and the truth to compare a copy with.

In: the application and a control request.
Out: what was done, as JSON; ValueError says what was expected.
Never: authentication; every account's calendars are in reach.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.calendar_list import ACCESS_ROLES
from calendar_sync.fake_google.messages import Request, Resource
from calendar_sync.fake_google.records import Account, CalendarRecord
from calendar_sync.fake_google.seed import all_day_event

PREFIX = "/_control/"

# What a control does, by method and name.
Routes = dict[tuple[str, str], Callable[[FakeGoogle, Request], Resource]]


def _events(app: FakeGoogle, request: Request) -> Resource:
    """The truth to compare a local copy with: every live event of a calendar."""
    with app.store.lock:
        _, calendar = _find(app, request.query["calendar"])
        return {"items": [event.resource for event in calendar.live_events()]}


def _expire(app: FakeGoogle, request: Request) -> Resource:
    """Sync tokens of one calendar (`calendar`), of one account (`account`: its list and calendars), or of all."""
    body = request.json()
    with app.store.lock:
        if "calendar" in body:
            _find(app, body["calendar"])[1].token_epoch += 1
            return {"expired": 1}
        accounts = [app.store.account(body["account"])] if "account" in body else app.store.accounts.values()
        expired = 0
        for account in accounts:
            account.token_epoch += 1
            for calendar in account.calendars.values():
                calendar.token_epoch += 1
            expired += 1 + len(account.calendars)
        return {"expired": expired}


def _mutate(app: FakeGoogle, request: Request) -> Resource:
    """Add, change and delete events of a calendar, as if somebody had done so in Google Calendar.

    The first live events in order are deleted, the next ones changed; returns the IDs of each.
    """
    body = request.json()
    counts = {name: int(body.get(name, 0)) for name in ("add", "change", "delete")}
    store = app.store
    with store.lock:
        account, calendar = _find(app, body["calendar"])
        live = calendar.live_events()
        if counts["change"] + counts["delete"] > len(live):
            raise ValueError(f"change + delete: the calendar has only {len(live)} events")
        deleted, changed = live[: counts["delete"]], live[counts["delete"] :][: counts["change"]]
        for event in deleted:
            store.delete_event(calendar, event)
        for event in changed:
            summary = f"{event.resource.get('summary', '').split(' · ')[0]} · changed {store.version}"
            store.put_event(calendar, {**event.resource, "summary": summary})
        today = dt.datetime.now(dt.UTC).date()
        added = [
            store.put_event(
                calendar,
                all_day_event(account, calendar, today + dt.timedelta(days=number % 60), f"Added {store.version}"),
            ).id
            for number in range(counts["add"])
        ]
        return {
            "added": added,
            "changed": [event.id for event in changed],
            "deleted": [event.id for event in deleted],
        }


def _add_calendar(app: FakeGoogle, request: Request) -> Resource:
    """An empty calendar for `account`: `id`, `summary` and any other field of a list entry."""
    body = request.json()
    with app.store.lock:
        account = app.store.account(body.pop("account"))
        defaults = {"timeZone": "UTC", "accessRole": "owner", "backgroundColor": "#9fc6e7", "selected": True}
        entry = {**defaults, "summary": body["id"], **body}
        if entry["accessRole"] not in ACCESS_ROLES:
            raise ValueError(f"accessRole {entry['accessRole']!r}: expected one of {', '.join(ACCESS_ROLES)}")
        return app.store.put_calendar(account, entry).entry


def _delete_calendar(app: FakeGoogle, request: Request) -> Resource:
    with app.store.lock:
        account, calendar = _find(app, request.query["calendar"])
        app.store.delete_calendar(account, calendar)
        return {"deleted": calendar.id}


def _find(app: FakeGoogle, calendar_id: str) -> tuple[Account, CalendarRecord]:
    for account in app.store.accounts.values():
        calendar = account.calendars.get(calendar_id)
        if calendar is not None and not calendar.deleted:
            return account, calendar
    raise ValueError(f"calendar {calendar_id!r}: no such calendar; GET {PREFIX}state lists them")


ROUTES: Routes = {
    ("GET", "events"): _events,
    ("POST", "expire-sync-tokens"): _expire,
    ("POST", "mutate"): _mutate,
    ("POST", "calendars"): _add_calendar,
    ("DELETE", "calendars"): _delete_calendar,
}
