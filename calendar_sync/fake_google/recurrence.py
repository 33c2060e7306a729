"""Recurring events: which instances a series has, and what each looks like.

In: a recurring event's resource, with `start`, `end` and `recurrence`.
Out: the starts of its instances; an instance as a resource under Google's ID `<series>_<start>`.
Never: the store; what was changed in a single instance is the caller's to put in its place.

Source: RFC 5545, 3.3.10 and 3.8.5; Google Calendar API guide "Recurring events" and reference, Events.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from itertools import islice

from dateutil.rrule import rruleset, rrulestr  # type: ignore[import-untyped]

from calendar_sync.fake_google.messages import Resource
from calendar_sync.fake_google.times import moment, shifted, zone

# How far a series without an end is followed when a listing has none either: a limit of this server, not of Google's.
OPEN_SPAN = dt.timedelta(days=730)
OPEN_COUNT = 730

_INSTANCE_ID = re.compile(r"([a-v0-9]+)_(\d{8}(?:T\d{6}Z)?)")
_LINE = re.compile(r"(RRULE|EXRULE|RDATE|EXDATE)((?:;[^:]*)?):(.+)", re.DOTALL)
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})


def split_instance_id(event_id: str) -> tuple[str, str] | None:
    """The series' ID and the start in an instance's ID; None for any other ID."""
    match = _INSTANCE_ID.fullmatch(event_id)
    return (match[1], match[2]) if match else None


class Series:
    """A recurring event, ready to be asked for its instances. Raises ValueError for a recurrence that is none."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource
        start = resource["start"]
        self._all_day = "dateTime" not in start
        if not self._all_day and "timeZone" not in start:
            raise ValueError("start: a recurring event needs a timeZone")
        # Rules count in local time: 09:00 stays 09:00 when the clocks change.
        self._zone = dt.UTC if self._all_day else zone(start["timeZone"])
        self._first = moment(start).astimezone(self._zone)
        # In UTC: times of one zone would be subtracted by what their clocks show.
        self._length = moment(resource["end"]).astimezone(dt.UTC) - self._first.astimezone(dt.UTC)
        self._endless = False
        self._rule = rruleset()
        for line in resource["recurrence"]:
            self._add(line)
        if not any(line.startswith("RRULE") for line in resource["recurrence"]):
            self._rule.rdate(self._first)

    def starts(self, lower: dt.datetime | None = None, upper: dt.datetime | None = None) -> Iterator[dt.datetime]:
        """When the instances start that end after `lower` and start before `upper`.

        Without `upper`, at most OPEN_COUNT of them, and of a series without an end those of OPEN_SPAN.
        """
        found: Iterator[dt.datetime] = iter(self._rule)
        if lower is not None:
            found = self._rule.xafter(shifted(lower, -self._length))
        if upper is None:
            found = islice(found, OPEN_COUNT)
            if self._endless:
                upper = shifted(max(lower or self._first, self._first), OPEN_SPAN)
        for start in found:
            if upper is not None and start >= upper:
                return
            # By way of UTC: a local time that the change of clocks leaves out is an hour later.
            yield start.astimezone(dt.UTC).astimezone(self._zone)

    def instance_id(self, start: dt.datetime) -> str:
        """The ID of the instance that starts then by the rule."""
        text = _compact(start)
        return f"{self._resource['id']}_{text[:8] if self._all_day else text}"

    def instance(self, start: dt.datetime) -> Resource:
        """The instance that starts then by the rule: the series' fields at its own time, `recurrence` left out."""
        kept = {key: value for key, value in self._resource.items() if key != "recurrence"}
        when = self._written(start)
        return {
            **kept,
            "id": self.instance_id(start),
            "start": when,
            "end": self._written(shifted(start, self._length).astimezone(self._zone)),
            "recurringEventId": self._resource["id"],
            "originalStartTime": when,
        }

    def start_of(self, text: str) -> dt.datetime | None:
        """When the instance starts whose ID ends in `text`; None when the series has no such instance."""
        if ("T" in text) == self._all_day:
            return None
        try:
            start = dt.datetime.strptime(text, "%Y%m%d" if self._all_day else "%Y%m%dT%H%M%SZ").replace(tzinfo=dt.UTC)
        except ValueError:
            return None
        return start.astimezone(self._zone) if self.occurs(start) else None

    def occurs(self, start: dt.datetime) -> bool:
        """Whether an instance starts at this time."""
        wanted = start.astimezone(dt.UTC)
        for found in self._rule.xafter(shifted(wanted, -dt.timedelta(days=1))):
            if found.astimezone(dt.UTC) >= wanted:
                return bool(found.astimezone(dt.UTC) == wanted)
        return False

    def _add(self, line: object) -> None:
        match = _LINE.fullmatch(line) if isinstance(line, str) else None
        if match is None:
            raise ValueError(f"recurrence line {line!r}: expected RRULE, EXRULE, RDATE or EXDATE, a colon and a value")
        name, parameters, value = match.groups()
        if name in {"RRULE", "EXRULE"}:
            rule = rrulestr(self._normal(value), dtstart=self._first)
            if name == "EXRULE":
                self._rule.exrule(rule)
                return
            self._rule.rrule(rule)
            self._endless = self._endless or not {"COUNT", "UNTIL"} & _fields(value).keys()
            return
        add = self._rule.rdate if name == "RDATE" else self._rule.exdate
        for text in value.split(","):
            add(self._date(text, parameters))

    def _normal(self, value: str) -> str:
        """A rule as dateutil takes it: UNTIL always as a time in UTC. Google accepts it as a date as well."""
        fields = _fields(value)
        if fields.get("FREQ", "").upper() not in _FREQUENCIES:
            raise ValueError(f"recurrence rule {value!r}: expected FREQ of {', '.join(sorted(_FREQUENCIES))}")
        if fields.get("INTERVAL", "1").strip("0") == "":
            raise ValueError(f"recurrence rule {value!r}: expected an INTERVAL of 1 or more")
        if "UNTIL" in fields:
            text = fields["UNTIL"]
            until = self._date(text, "")
            if "T" not in text:
                until += dt.timedelta(days=1, seconds=-1)
            fields["UNTIL"] = _compact(until)
        return ";".join(f"{key}={text}" for key, text in fields.items())

    def _date(self, text: str, parameters: str) -> dt.datetime:
        """A date or time of a recurrence line: in UTC when it ends in Z, else in TZID's zone or the series' own."""
        form = "%Y%m%dT%H%M%S" if "T" in text else "%Y%m%d"
        if text.endswith("Z"):
            parsed = dt.datetime.strptime(text, form + "Z").replace(tzinfo=dt.UTC)
        else:
            named = _fields(parameters).get("TZID")
            parsed = dt.datetime.strptime(text, form).replace(tzinfo=zone(named) if named else self._zone)
        if self._all_day:
            return dt.datetime.combine(parsed.date(), dt.time(tzinfo=dt.UTC))
        return parsed.astimezone(self._zone)

    def _written(self, start: dt.datetime) -> Resource:
        if self._all_day:
            return {"date": start.date().isoformat()}
        return {"dateTime": start.isoformat(timespec="seconds"), "timeZone": str(self._zone)}


def _compact(time: dt.datetime) -> str:
    """A time as iCalendar writes it in UTC; strftime would leave out a year's leading zeros."""
    return time.astimezone(dt.UTC).isoformat(timespec="seconds")[:19].replace("-", "").replace(":", "") + "Z"


def _fields(text: str) -> dict[str, str]:
    """`;A=1;B=2` as a dictionary; ValueError for a part without a value."""
    pairs = [part.partition("=") for part in text.split(";") if part]
    if not all(separator and value for _, separator, value in pairs):
        raise ValueError(f"recurrence value {text!r}: expected NAME=VALUE parts, separated by semicolons")
    return {name.upper(): value for name, _, value in pairs}
