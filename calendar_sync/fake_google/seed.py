"""The data the server starts with: public holidays of real countries, from the `holidays` package.

In: how many accounts, and which years.
Out: a Store with five calendars per account, one country's holidays each; the same for every start.
Never: random or invented dates; identifiers derive from the content.
"""

from __future__ import annotations

import datetime as dt
import functools
import hashlib
from dataclasses import dataclass
from typing import NamedTuple

import holidays

from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.messages import Resource
from calendar_sync.fake_google.records import Account, CalendarRecord
from calendar_sync.fake_google.store import Store

CALENDARS_PER_ACCOUNT = 5


class Country(NamedTuple):
    """A country: ISO 3166 code, name, IANA time zone of its capital, background colour of its calendar."""

    code: str
    name: str
    time_zone: str
    color: str


COUNTRIES = (
    Country("DE", "Germany", "Europe/Berlin", "#16a765"),
    Country("FR", "France", "Europe/Paris", "#4986e7"),
    Country("IT", "Italy", "Europe/Rome", "#fa573c"),
    Country("ES", "Spain", "Europe/Madrid", "#ffad46"),
    Country("GB", "United Kingdom", "Europe/London", "#9a9cff"),
    Country("US", "United States", "America/New_York", "#4986e7"),
    Country("CA", "Canada", "America/Toronto", "#f83a22"),
    Country("MX", "Mexico", "America/Mexico_City", "#16a765"),
    Country("BR", "Brazil", "America/Sao_Paulo", "#7bd148"),
    Country("AR", "Argentina", "America/Argentina/Buenos_Aires", "#9fe1e7"),
    Country("JP", "Japan", "Asia/Tokyo", "#f691b2"),
    Country("IN", "India", "Asia/Kolkata", "#ff7537"),
    Country("KR", "South Korea", "Asia/Seoul", "#9fc6e7"),
    Country("AU", "Australia", "Australia/Sydney", "#fad165"),
    Country("ZA", "South Africa", "Africa/Johannesburg", "#b3dc6c"),
)
_NAMES = ("anna", "ben", "chloe", "david", "emma", "felix", "grace", "hugo", "iris", "jonas")


@dataclass(frozen=True)
class SeedOptions:
    """`accounts` accounts whose calendars hold the holidays of the years `first_year` to `last_year`, both included."""

    accounts: int = 3
    first_year: int = 2001
    last_year: int = 2035


def demo_accounts(count: int) -> list[Account]:
    """The first `count` accounts the server is seeded with, without their calendars; a pure function of `count`."""
    accounts = []
    for index in range(count):
        name = _NAMES[index % len(_NAMES)] + (str(index // len(_NAMES) + 1) if index >= len(_NAMES) else "")
        accounts.append(
            Account(
                id=f"1000{index + 1:017d}",
                email=f"{name}@example.com",
                token=f"fake-token-{name}",
                refresh_token=f"fake-refresh-{name}",
            )
        )
    return accounts


def seeded_store(options: SeedOptions, clock: Clock | None = None) -> Store:
    """A store with `options.accounts` accounts of five calendars; countries repeat after every third account."""
    store = Store(demo_accounts(options.accounts), clock)
    for index, account in enumerate(store.accounts.values()):
        for offset in range(CALENDARS_PER_ACCOUNT):
            country = COUNTRIES[(index * CALENDARS_PER_ACCOUNT + offset) % len(COUNTRIES)]
            calendar = store.put_calendar(account, calendar_entry(account, country))
            for day, name in _holidays(country.code, options.first_year, options.last_year):
                store.put_event(calendar, all_day_event(account, calendar, day, name))
    return store


def calendar_entry(account: Account, country: Country) -> Resource:
    """The calendar list entry of a country's holidays, owned by the account."""
    return {
        "id": f"{account.email.split('@')[0]}.{country.code.lower()}#holiday@group.calendar.google.com",
        "summary": f"Holidays in {country.name}",
        "description": f"Public holidays in {country.name}",
        "timeZone": country.time_zone,
        "backgroundColor": country.color,
        "foregroundColor": "#000000",
        "selected": True,
        "accessRole": "owner",
        "defaultReminders": [],
    }


def all_day_event(account: Account, calendar: CalendarRecord, day: dt.date, summary: str) -> Resource:
    """An all-day event; its ID is a digest of calendar, day and summary (hex digits are valid base32hex)."""
    event_id = hashlib.sha256(f"{calendar.id}|{day}|{summary}".encode()).hexdigest()[:26]
    return {
        "id": event_id,
        "summary": summary,
        "start": {"date": day.isoformat()},
        "end": {"date": (day + dt.timedelta(days=1)).isoformat()},
        "creator": {"email": account.email, "self": True},
        "organizer": {"email": calendar.id, "displayName": calendar.entry["summary"], "self": True},
        "transparency": "transparent",
        "iCalUID": f"{event_id}@google.com",
        "sequence": 0,
        "eventType": "default",
    }


@functools.lru_cache(maxsize=64)
def _holidays(code: str, first_year: int, last_year: int) -> list[tuple[dt.date, str]]:
    found = holidays.country_holidays(code, years=range(first_year, last_year + 1))
    return [(day, name) for day in sorted(found) for name in found.get_list(day)]
