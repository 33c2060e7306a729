"""What the store holds: accounts, their calendars, the events of these, each with the version of its last change.

In: resources.
Out: records that know whether they are tombstones, when they start, and which instances they stand for.
Never: changes; those are the store's, which versions them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from calendar_sync.fake_google.messages import Resource
from calendar_sync.fake_google.recurrence import Series, split_instance_id
from calendar_sync.fake_google.times import sortable


@dataclass
class EventRecord:
    """One event and the version of its last change. `was_series` marks the tombstone of a recurring event."""

    resource: Resource
    version: int
    was_series: bool = False

    @property
    def id(self) -> str:
        return str(self.resource["id"])

    @property
    def deleted(self) -> bool:
        return bool(self.resource["status"] == "cancelled")

    @property
    def series_id(self) -> str | None:
        """The recurring event of which this is a changed or cancelled instance; None for any other event."""
        return self.resource.get("recurringEventId")

    @cached_property
    def starts(self) -> str:
        """Sort key: the start as text; of a cancelled instance, when it would have started."""
        return sortable(self.resource.get("start") or self.resource.get("originalStartTime") or {})

    @cached_property
    def series(self) -> Series | None:
        """The instances of a recurring event; None for any other."""
        return Series(self.resource) if self.resource.get("recurrence") else None


@dataclass
class CalendarRecord:
    """One calendar of one account: its list entry, its events, and the epoch its sync tokens must carry.

    `exceptions` holds the IDs of the changed and cancelled instances by series. `retired` holds tombstones of instances
    that a series had before it was changed or deleted: news to who lists single events.
    """

    entry: Resource
    version: int
    events: dict[str, EventRecord] = field(default_factory=dict)
    exceptions: dict[str, set[str]] = field(default_factory=dict)
    retired: dict[str, EventRecord] = field(default_factory=dict)
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

    def find(self, event_id: str) -> EventRecord | None:
        """An event, a tombstone, or an instance that nobody has changed yet; None when there is none of these."""
        return self.events.get(event_id) or self.retired.get(event_id) or self._instance(event_id)

    def exceptions_of(self, series_id: str) -> Iterator[EventRecord]:
        """The changed and cancelled instances of a series."""
        return (self.events[event_id] for event_id in sorted(self.exceptions.get(series_id, ())))

    def _instance(self, event_id: str) -> EventRecord | None:
        parts = split_instance_id(event_id)
        parent = self.events.get(parts[0]) if parts else None
        if parts is None or parent is None or parent.series is None:
            return None
        start = parent.series.start_of(parts[1])
        return None if start is None else EventRecord(parent.series.instance(start), parent.version)


@dataclass
class Account:
    """A Google account: who it is, its access token that does not expire, its refresh token, its calendars."""

    id: str
    email: str
    token: str
    refresh_token: str
    calendars: dict[str, CalendarRecord] = field(default_factory=dict)
    token_epoch: int = 1
