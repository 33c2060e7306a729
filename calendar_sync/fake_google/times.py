"""The times of events: what Google's `start` and `end` objects and RFC 3339 texts mean.

In: an EventDateTime object.
Out: an aware time.
Never: the machine's own time zone.
"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from calendar_sync.fake_google.messages import Resource


def moment(value: Resource) -> dt.datetime:
    """An event's `start` or `end` as an aware time, a date as its midnight in UTC; ValueError when it is neither.

    A `dateTime` without offset is in the object's `timeZone`, as Google documents, and in UTC without one.
    """
    text = value.get("dateTime") or value.get("date")
    if text is None or not isinstance(text, str):
        raise ValueError("neither dateTime nor date")
    parsed = dt.datetime.fromisoformat(text)
    if parsed.tzinfo is not None:
        return parsed
    return parsed.replace(tzinfo=zone(value["timeZone"]) if "timeZone" in value and "dateTime" in value else dt.UTC)


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
    except (ValueError, OverflowError):
        return ""
