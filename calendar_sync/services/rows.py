"""What a page shows of accounts, calendars and events, as plain values.

In: columns of the rows. Out: values that can be pickled, and so cached, and that ask the database for nothing.
Never: a token of an account.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(slots=True)
class AccountRow:
    """A Google account, and how its list of calendars was synced last."""

    pk: int
    user_id: int
    email: str
    last_synced_at: dt.datetime | None
    last_error: str

    def __str__(self) -> str:
        return self.email


@dataclass(slots=True)
class CalendarRow:
    """A calendar with its number of events, and how it was synced last."""

    pk: int
    user_id: int
    summary: str
    time_zone: str
    background_color: str
    enabled: bool
    event_count: int
    last_error: str

    def __str__(self) -> str:
        return self.summary


@dataclass(frozen=True, slots=True)
class EventCalendar:
    """What an event shows of its calendar."""

    summary: str
    background_color: str


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event."""

    pk: int
    summary: str
    starts_at: dt.datetime
    all_day: bool
    calendar: EventCalendar
