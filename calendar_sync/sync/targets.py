"""How a page of Google's resources becomes rows: calendars of an account, events of a calendar.

In: the items of one page.
Out: rows created, updated, deleted; counts of each. A constant number of statements per page.
Never: calls to Google, transactions of its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

from django.db.models import QuerySet

from calendar_sync.google import GoogleError
from calendar_sync.models import Calendar, Event, GoogleAccount

Item = dict[str, Any]


class UnexpectedResource(GoogleError):
    """Google sent an item that lacks what the reference says it has."""


@dataclass(frozen=True)
class Changes:
    """What a page did to the rows; `newest` is when Google says that the latest of the changed ones was changed."""

    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    newest: dt.datetime | None = None


class Target(Protocol):
    """Where the items of one listing go."""

    def apply(self, items: Iterable[Item], listing: int) -> Changes:
        """Write one page; every row on it is marked as seen in that listing if it is a full one, or is new."""

    def delete_unseen(self, listing: int) -> int:
        """After a full listing: delete the rows Google did not list; returns how many."""


class CalendarListTarget:
    """The calendars of an account. A calendar keeps whether its user enabled it.

    One that its user has hidden at Google is gone: an incremental list has it, a full one has not.
    """

    def __init__(self, account: GoogleAccount) -> None:
        self._account = account

    def apply(self, items: Iterable[Item], listing: int) -> Changes:
        """Write one page of calendarList.list."""
        live, gone = _split(items, lambda item: bool(item.get("deleted") or item.get("hidden")))
        rows = {google_id: self._row(item, listing) for google_id, item in live.items()}
        calendars = Calendar.objects.filter(account=self._account)
        etags = dict(calendars.filter(google_id__in=[*rows, *gone]).values_list("google_id", "etag"))
        changed = [row for row in rows.values() if etags.get(row.google_id) != row.etag]
        Calendar.objects.bulk_create(
            changed,
            update_conflicts=True,
            unique_fields=["account", "google_id"],
            update_fields=["etag", "summary", "time_zone", "background_color", "seen_in_listing"],
        )
        _mark(calendars, rows, changed, listing)
        doomed = [google_id for google_id in gone if google_id in etags]
        if doomed:
            calendars.filter(google_id__in=doomed).delete()
        return _counted(changed, etags, doomed, len(live) + len(gone))

    def delete_unseen(self, listing: int) -> int:
        """Delete the account's calendars that were not listed, with their events."""
        missing = Calendar.objects.filter(account=self._account).exclude(seen_in_listing=listing)
        return missing.delete()[1].get(Calendar._meta.label, 0)

    def _row(self, item: Item, listing: int) -> Calendar:
        try:
            return Calendar(
                account=self._account,
                google_id=item["id"],
                etag=item["etag"],
                summary=item.get("summaryOverride") or item["summary"],
                time_zone=item.get("timeZone", "UTC"),
                background_color=item.get("backgroundColor", ""),
                seen_in_listing=listing,
            )
        except KeyError as error:
            raise UnexpectedResource(f"calendarList.list: an item has no {error}") from error


class EventsTarget:
    """The events of a calendar. A cancelled event has no row."""

    _FIELDS = (
        "etag", "status", "summary", "description", "location", "starts_at", "ends_at", "all_day", "google_updated_at",
        "seen_in_listing",
    )  # fmt: skip

    def __init__(self, calendar: Calendar) -> None:
        self._calendar = calendar

    def apply(self, items: Iterable[Item], listing: int) -> Changes:
        """Write one page of events.list."""
        live, gone = _split(items, lambda item: item.get("status") == "cancelled")
        rows = {google_id: self._row(item, listing) for google_id, item in live.items()}
        events = Event.objects.filter(calendar=self._calendar)
        etags = dict(events.filter(google_id__in=[*rows, *gone]).values_list("google_id", "etag"))
        changed = [row for row in rows.values() if etags.get(row.google_id) != row.etag]
        Event.objects.bulk_create(
            changed, update_conflicts=True, unique_fields=["calendar", "google_id"], update_fields=self._FIELDS
        )
        _mark(events, rows, changed, listing)
        doomed = [google_id for google_id in gone if google_id in etags]
        if doomed:
            events.filter(google_id__in=doomed).delete()
        moments = [row.google_updated_at for row in changed]
        # Of a tombstone Google promises its ID only.
        moments += [_changed_at(gone[google_id]) for google_id in doomed if "updated" in gone[google_id]]
        newest = max(moments, default=None)
        return replace(_counted(changed, etags, doomed, len(live) + len(gone)), newest=newest)

    def delete_unseen(self, listing: int) -> int:
        """Delete the calendar's events that were not listed."""
        return Event.objects.filter(calendar=self._calendar).exclude(seen_in_listing=listing).delete()[0]

    def _row(self, item: Item, listing: int) -> Event:
        try:
            starts_at, all_day = _moment(item["start"])
            return Event(
                calendar=self._calendar,
                google_id=item["id"],
                etag=item["etag"],
                status=item["status"],
                summary=item.get("summary", ""),
                description=item.get("description", ""),
                location=item.get("location", ""),
                starts_at=starts_at,
                ends_at=_moment(item["end"])[0],
                all_day=all_day,
                google_updated_at=_changed_at(item),
                seen_in_listing=listing,
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UnexpectedResource(f"events.list: an item cannot be read: {type(error).__name__}: {error}") from error


def _mark(rows: QuerySet[Any], listed: dict[str, Any], changed: list[Any], listing: int) -> None:
    """Note that the listed rows which need no other change were seen; an incremental listing's are marked already."""
    kept = listed.keys() - {row.google_id for row in changed}
    if kept:
        rows.filter(google_id__in=kept).exclude(seen_in_listing=listing).update(seen_in_listing=listing)


def _split(items: Iterable[Item], is_gone: Any) -> tuple[dict[str, Item], dict[str, Item]]:
    """Items by ID: those that are there, and those that are gone; what is said last of an ID counts."""
    by_id: dict[str, Item] = {}
    for item in items:
        if "id" not in item:
            raise UnexpectedResource("an item of a listing has no id")
        by_id[item["id"]] = item
    gone = {google_id: item for google_id, item in by_id.items() if is_gone(item)}
    return {google_id: item for google_id, item in by_id.items() if google_id not in gone}, gone


def _changed_at(item: Item) -> dt.datetime:
    return dt.datetime.fromisoformat(item["updated"])


def _counted(changed: list[Any], etags: dict[str, str], doomed: list[str], total: int) -> Changes:
    updated = sum(row.google_id in etags for row in changed)
    return Changes(len(changed) - updated, updated, len(doomed), total - len(changed) - len(doomed))


def _moment(value: dict[str, str]) -> tuple[dt.datetime, bool]:
    """`start` or `end` of an event as a time, and whether it is a whole day (its midnight in UTC)."""
    if "dateTime" in value:
        return dt.datetime.fromisoformat(value["dateTime"]), False
    return dt.datetime.combine(dt.date.fromisoformat(value["date"]), dt.time(), dt.UTC), True
