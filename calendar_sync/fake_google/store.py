"""The calendars and events the server holds, with a version for every change.

In: resources to put and the account asking for them.
Out: records; a record's version tells a sync token what changed since.
Never: HTTP, tokens' encoding, or deletion without a tombstone (a deleted record stays, marked).
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Iterable

from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.errors import not_found
from calendar_sync.fake_google.messages import Resource
from calendar_sync.fake_google.records import Account, CalendarRecord, EventRecord
from calendar_sync.fake_google.times import moment, rfc3339


class Store:
    """Everything the server knows. Hold `lock` around any use; each change takes the next version.

    `instance` is new per process and is part of every token, so that tokens of an earlier run are known to be foreign.
    `on_change` is called after each change with the account whose list, or the calendar whose events, are others now,
    and with what is left of them: `exists` or `not_exists`.
    """

    def __init__(self, accounts: Iterable[Account] = (), clock: Clock | None = None) -> None:
        self.lock = threading.RLock()
        self.instance = secrets.token_hex(4)
        self.version = 0
        self.accounts = {account.id: account for account in accounts}
        self.clock = clock or Clock()
        self.on_change: Callable[[Account | CalendarRecord, str], None] = lambda _changed, _state: None

    def account(self, account_id: str) -> Account:
        """The account of an ID; raises ValueError when there is none."""
        if account_id not in self.accounts:
            raise ValueError(f"account {account_id!r}: no such account; expected one of {', '.join(self.accounts)}")
        return self.accounts[account_id]

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
        """The calendar's event, a tombstone or an instance of a series included; raises ApiError 404."""
        record = calendar.find(event_id)
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
        self.on_change(account, "exists")
        return record

    def put_event(self, calendar: CalendarRecord, resource: Resource, *, was_series: bool = False) -> EventRecord:
        """Create or replace an event; gives it the next version, etag and `updated`.

        An instance of a series, under its own ID, becomes an exception of it. Instances and exceptions that a changed
        series has no more are cancelled.
        """
        self.version += 1
        now = rfc3339(self.clock.now())
        resource = {
            "kind": "calendar#event",
            "status": "confirmed",
            "created": now,
            **resource,
            "updated": now,
            "etag": self._etag(),
        }
        record = EventRecord(resource, self.version, was_series)
        former = calendar.events.get(record.id)
        calendar.events[record.id] = record
        if record.series_id is not None:
            calendar.exceptions.setdefault(record.series_id, set()).add(record.id)
        if record.series is not None or (former is not None and former.series is not None):
            self._retire(calendar, former, record)
        self.on_change(calendar, "exists")
        return record

    def delete_event(self, calendar: CalendarRecord, event: EventRecord) -> EventRecord:
        """Turn an event into its tombstone: only identity and status stay, as Google lists deleted events."""
        kept = ("id", "created", "iCalUID", "recurringEventId", "originalStartTime")
        identity = {key: event.resource[key] for key in kept if key in event.resource}
        return self.put_event(calendar, {**identity, "status": "cancelled"}, was_series=event.series is not None)

    def delete_calendar(self, account: Account, calendar: CalendarRecord) -> None:
        """Turn a calendar into a tombstone of the calendar list and forget its events."""
        self.put_calendar(account, {**calendar.entry, "deleted": True})
        for held in (calendar.events, calendar.exceptions, calendar.retired):
            held.clear()
        self.on_change(calendar, "not_exists")

    def _retire(self, calendar: CalendarRecord, former: EventRecord | None, record: EventRecord) -> None:
        """Keep a tombstone of each instance that is no more, and cancel the exceptions among them."""
        series = record.series
        now = {series.instance_id(start) for start in series.starts()} if series is not None else set()
        if former is not None and former.series is not None:
            for start in former.series.starts():
                instance = former.series.instance(start)
                if instance["id"] not in now:
                    kept = {key: instance[key] for key in ("kind", "id", "recurringEventId", "originalStartTime")}
                    tombstone = {**kept, "status": "cancelled", "etag": record.resource["etag"]}
                    calendar.retired[instance["id"]] = EventRecord(tombstone, record.version)
        gone = calendar.exceptions.get(record.id, set())
        for event_id in [*now, *gone]:
            calendar.retired.pop(event_id, None)
        for exception in list(calendar.exceptions_of(record.id)):
            start = moment(exception.resource["originalStartTime"])
            if not exception.deleted and not (series is not None and series.occurs(start)):
                self.delete_event(calendar, exception)

    def _etag(self) -> str:
        return f'"{self.instance}{self.version:012d}"'
