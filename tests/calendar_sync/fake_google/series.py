"""Recurring events to test with, and a calendar's events as the real client has them.

In: a service and a calendar's ID. Out: calls of its `events` collection. Never: a mock.
"""

from __future__ import annotations

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.calendar_sync.fake_google.conftest import reason_of

#: Mondays at nine in Berlin, over the change to summer time on 29 March 2026.
SERIES = {
    "id": "series",
    "summary": "Review",
    "start": {"dateTime": "2026-03-16T09:00:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-03-16T10:00:00", "timeZone": "Europe/Berlin"},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
}
SERIES_IDS = [
    "series_20260316T080000Z",
    "series_20260323T080000Z",
    "series_20260330T070000Z",
    "series_20260406T070000Z",
]
TRIPS = {
    "id": "trips",
    "summary": "Holiday",
    "start": {"date": "2026-03-02"},
    "end": {"date": "2026-03-03"},
    "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
}


class Events:
    """The client's `events` collection for one calendar."""

    def __init__(self, service: Any, calendar: str) -> None:
        self._events, self._calendar = service.events(), calendar

    def __getattr__(self, name: str) -> Any:
        return lambda **arguments: getattr(self._events, name)(calendarId=self._calendar, **arguments).execute()

    def ids(self, **query: Any) -> list[str]:
        items: list[str] = []
        token = None
        while True:
            page = self.list(**query, pageToken=token)
            items += [item["id"] for item in page["items"]]
            token = page.get("nextPageToken")
            if token is None:
                return items


def failure_of(call, **arguments) -> tuple[int, str]:
    with pytest.raises(HttpError) as failure:
        call(**arguments)
    return reason_of(failure.value)
