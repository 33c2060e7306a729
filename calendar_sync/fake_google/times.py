"""The times of events: what Google's `start` and `end` objects and RFC 3339 texts mean.

In: an EventDateTime object.
Out: an aware time.
Never: the machine's own time zone.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calendar_sync.fake_google.messages import Resource

# A day within what datetime can hold: in every time zone, too.
_FIRST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
_LAST = dt.datetime(9999, 12, 30, tzinfo=dt.UTC)


def moment(value: Resource) -> dt.datetime:
    """An event's `start` or `end` as an aware time, a date as its midnight in UTC; ValueError when it is neither.

    A `dateTime` without offset is in the object's `timeZone`, as Google documents, and in UTC without one.
    """
    text = value.get("dateTime") or value.get("date")
    if text is None or not isinstance(text, str):
        raise ValueError("neither dateTime nor date")
    parsed = dt.datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        parsed = parsed.replace(
            tzinfo=zone(value["timeZone"]) if value.get("timeZone") and "dateTime" in value else dt.UTC
        )
    return _within_range(parsed)


def instant(text: str) -> dt.datetime:
    """A time with its offset (RFC 3339), in UTC; ValueError when it is not one."""
    parsed = dt.datetime.fromisoformat(text)
    if parsed.tzinfo is None:
        raise ValueError(f"time {text!r}: expected an offset")
    return _within_range(parsed).astimezone(dt.UTC)


def shifted(value: dt.datetime, by: dt.timedelta) -> dt.datetime:
    """A time in UTC moved as far as the calendar goes."""
    try:
        return value.astimezone(dt.UTC) + by
    except OverflowError:
        return _FIRST if by < dt.timedelta() else _LAST


def zone(name: object) -> ZoneInfo:
    """The zone of an IANA name; raises ValueError when there is none."""
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, OSError) as error:
        raise ValueError(f"time zone {name!r}: not an IANA name") from error


def rfc3339(value: dt.datetime) -> str:
    """A time in UTC as Google writes `created` and `updated`, in milliseconds."""
    return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def sortable(value: Resource) -> str:
    """An EventDateTime as text that sorts by time; empty where there is no time."""
    try:
        return moment(value).astimezone(dt.UTC).isoformat(timespec="microseconds")
    except ValueError:
        return ""


def _within_range(value: dt.datetime) -> dt.datetime:
    """The time itself; ValueError when no zone's clock could show it."""
    if not _FIRST <= value <= _LAST:
        raise ValueError(f"time {value.isoformat()}: expected the years 1 to 9999")
    return value
