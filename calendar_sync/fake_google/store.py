"""The calendars and events the server holds, with a version for every change.

In: resources to put and the account asking for them.
Out: records; a record's version tells a sync token what changed since.
Never: HTTP, tokens' encoding, or deletion without a tombstone (a deleted record stays, marked).
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field

from calendar_sync.fake_google.errors import not_found
from calendar_sync.fake_google.messages import Resource


@dataclass
class EventRecord:
    """One event and the version of its last change."""

    resource: Resource
    version: int

    @property
    def id(self) -> str:
        return str(self.resource["id"])

    @property
    def deleted(self) -> bool:
        return bool(self.resource["status"] == "cancelled")

    @property
    def starts(self) -> str:
        """Sort key: the start as text (ISO dates and date-times of one zone sort as text)."""
        start = self.resource.get("start", {})
        return str(start.get("dateTime") or start.get("date") or "")


@dataclass
class CalendarRecord:
    """One calendar of one account: its list entry, its events, and the epoch its sync tokens must carry."""

    entry: Resource
    version: int
    events: dict[str, EventRecord] = field(default_factory=dict)
    token_epoch: int = 1

    @property
    def id(self) -> str:
        return str(self.entry["id"])

    @property
    def deleted(self) -> bool:
        return bool(self.entry.get("deleted"))

    def live_events(self) -> list[EventRecord]:
        """Events that are not deleted, in insertion order."""
        return [event for event in self.events.values() if not event.deleted]


@dataclass
class Account:
    """A Google account: who it is, its bearer token, its calendars."""

    id: str
    email: str
    token: str
    calendars: dict[str, CalendarRecord] = field(default_factory=dict)
    token_epoch: int = 1


class Store:
    """Everything the server knows. Hold `lock` around any use; each change takes the next version.

    `instance` is new per process and is part of every token, so that tokens of an earlier run are known to be foreign.
    """

    def __init__(self, accounts: Iterable[Account] = ()) -> None:
        self.lock = threading.RLock()
        self.instance = secrets.token_hex(4)
        self.version = 0
        self.accounts = {account.id: account for account in accounts}
        self._by_token = {account.token: account for account in self.accounts.values()}

    def account_for_token(self, token: str) -> Account | None:
        """The account a bearer token belongs to; None when the token is unknown."""
        return self._by_token.get(token)

    def calendar(self, account: Account, calendar_id: str) -> CalendarRecord:
        """The account's live calendar (`primary` is its first); raises ApiError 404."""
        if calendar_id == "primary":
            live = [calendar for calendar in account.calendars.values() if not calendar.deleted]
            if live:
                return live[0]
        record = account.calendars.get(calendar_id)
        if record is None or record.deleted:
            raise not_found()
        return record

    def event(self, calendar: CalendarRecord, event_id: str) -> EventRecord:
        """The calendar's event, a tombstone included; raises ApiError 404."""
        record = calendar.events.get(event_id)
        if record is None:
            raise not_found()
        return record

    def put_calendar(self, account: Account, entry: Resource) -> CalendarRecord:
        """Create or replace a calendar's list entry; gives it the next version and etag."""
        self.version += 1
        entry = {"kind": "calendar#calendarListEntry", **entry, "etag": self._etag()}
        record = account.calendars.get(entry["id"])
        if record is None:
            record = account.calendars[entry["id"]] = CalendarRecord(entry, self.version)
        else:
            record.entry, record.version = entry, self.version
        return record

    def put_event(self, calendar: CalendarRecord, resource: Resource) -> EventRecord:
        """Create or replace an event; gives it the next version, etag and `updated`."""
        self.version += 1
        now = dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        resource = {
            "kind": "calendar#event",
            "status": "confirmed",
            "created": now,
            **resource,
            "updated": now,
            "etag": self._etag(),
        }
        record = EventRecord(resource, self.version)
        calendar.events[record.id] = record
        return record

    def delete_event(self, calendar: CalendarRecord, event: EventRecord) -> EventRecord:
        """Turn an event into its tombstone: only identity and status stay, as Google lists deleted events."""
        kept: Resource = {key: event.resource[key] for key in ("id", "created", "iCalUID") if key in event.resource}
        return self.put_event(calendar, {**kept, "status": "cancelled"})

    def delete_calendar(self, account: Account, calendar: CalendarRecord) -> None:
        """Turn a calendar into a tombstone of the calendar list and forget its events."""
        self.put_calendar(account, {**calendar.entry, "deleted": True})
        calendar.events.clear()

    def _etag(self) -> str:
        return f'"{self.instance}{self.version:012d}"'
