"""Recurring events of the fake server: their instances, exceptions and tombstones, with the real client."""

from __future__ import annotations

from typing import Any

import pytest
from googleapiclient.errors import HttpError

from tests.calendar_sync.fake_google.conftest import reason_of

#: Mondays at nine in Berlin, over the change to summer time on 29 March 2026.
WEEKLY = {
    "id": "series",
    "summary": "Review",
    "start": {"dateTime": "2026-03-16T09:00:00", "timeZone": "Europe/Berlin"},
    "end": {"dateTime": "2026-03-16T10:00:00", "timeZone": "Europe/Berlin"},
    "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=4"],
}
WEEKLY_IDS = [
    "series_20260316T080000Z",
    "series_20260323T080000Z",
    "series_20260330T070000Z",
    "series_20260406T070000Z",
]
DAILY = {
    "id": "trips",
    "summary": "Holiday",
    "start": {"date": "2026-03-02"},
    "end": {"date": "2026-03-03"},
    "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"],
}


@pytest.fixture
def calendar(calendar_ids: list[str], control) -> str:
    """An empty calendar of the first account."""
    account = control.state()["accounts"][0]["id"]
    return str(control.add_calendar(account, "team", summary="Team")["id"])


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


@pytest.fixture
def events(service, calendar) -> Events:
    return Events(service, calendar)


def failure_of(call, **arguments) -> tuple[int, str]:
    with pytest.raises(HttpError) as failure:
        call(**arguments)
    return reason_of(failure.value)


def test_a_series_is_one_event_until_single_events_are_asked_for(events):
    """The parent has the rule; its instances come with singleEvents, in local time across the change of clocks."""
    events.insert(body=WEEKLY)

    assert [item["recurrence"] for item in events.list()["items"]] == [WEEKLY["recurrence"]]
    items = events.list(singleEvents=True, orderBy="startTime")["items"]
    assert [item["id"] for item in items] == WEEKLY_IDS
    assert [item["start"]["dateTime"] for item in items[1:3]] == [
        "2026-03-23T09:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
    ]
    assert items[2]["end"] == {"dateTime": "2026-03-30T10:00:00+02:00", "timeZone": "Europe/Berlin"}
    assert {item["recurringEventId"] for item in items} == {"series"}
    assert all(item["originalStartTime"] == item["start"] and "recurrence" not in item for item in items)
    assert events.get(eventId=WEEKLY_IDS[2]) == items[2]


def test_an_all_day_series_has_instances_by_date(events):
    """Their IDs end in the date, and so do start, end and originalStartTime."""
    events.insert(body=DAILY)

    items = events.list(singleEvents=True)["items"]

    assert [item["id"] for item in items] == ["trips_20260302", "trips_20260303", "trips_20260304"]
    assert (items[1]["start"], items[1]["end"]) == ({"date": "2026-03-03"}, {"date": "2026-03-04"})
    assert items[1]["originalStartTime"] == {"date": "2026-03-03"}


@pytest.mark.parametrize(
    ("recurrence", "days"),
    [
        (["RRULE:FREQ=WEEKLY;UNTIL=20260323T080000Z"], ["16", "23"]),
        (["RRULE:FREQ=WEEKLY;UNTIL=20260323"], ["16", "23"]),
        (["RRULE:FREQ=WEEKLY;UNTIL=20260322"], ["16"]),
        (["RRULE:FREQ=DAILY;INTERVAL=2;COUNT=3"], ["16", "18", "20"]),
        (["RRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3"], ["16", "18", "23"]),
        (["RRULE:FREQ=DAILY;COUNT=3", "EXDATE;TZID=Europe/Berlin:20260317T090000"], ["16", "18"]),
        (["RRULE:FREQ=DAILY;COUNT=3", "EXDATE:20260316T080000Z,20260317T080000Z"], ["18"]),
        (["RRULE:FREQ=DAILY;COUNT=1", "RDATE;TZID=Europe/London:20260320T080000"], ["16", "20"]),
        (["RDATE:20260320T090000"], ["16", "20"]),
        (["RRULE:FREQ=DAILY;COUNT=4", "EXRULE:FREQ=DAILY;INTERVAL=2;COUNT=2"], ["17", "19"]),
    ],
)
def test_rules_and_dates_add_up(events, recurrence, days):
    """RRULE and RDATE add, EXRULE and EXDATE take away; UNTIL may be a date or a time."""
    events.insert(body={**WEEKLY, "recurrence": recurrence})

    assert [item["start"]["dateTime"][8:10] for item in events.instances(eventId="series")["items"]] == days


def test_a_time_range_selects_instances_and_series(events):
    """TimeMin and timeMax choose among the instances; without singleEvents a series is there if one of them is."""
    events.insert(body=WEEKLY)
    within = {"timeMin": "2026-03-20T00:00:00Z", "timeMax": "2026-03-30T07:00:00Z"}

    assert events.ids(**within, singleEvents=True) == WEEKLY_IDS[1:2]
    assert events.ids(timeMin="2026-03-30T07:59:59Z", singleEvents=True) == WEEKLY_IDS[2:]
    assert events.ids(**within) == ["series"]
    assert events.ids(timeMin="2026-04-06T08:00:00Z") == []
    assert failure_of(events.list, timeMin=within["timeMax"], timeMax=within["timeMin"]) == (400, "timeRangeEmpty")


def test_an_endless_series_is_followed_for_two_years(events):
    """730 days from its start or timeMin, 730 instances at most; with timeMax as far as that."""
    events.insert(body={**DAILY, "recurrence": ["RRULE:FREQ=DAILY"]})
    events.insert(body={**DAILY, "id": "annual", "recurrence": ["RRULE:FREQ=YEARLY"]})

    dates = [event_id for event_id in events.ids(singleEvents=True, maxResults=100) if event_id.startswith("trips")]
    assert (len(dates), dates[-1]) == (730, "trips_20280229")
    assert events.ids(timeMin="2040-01-01T00:00:00Z", timeMax="2040-01-03T00:00:00Z", singleEvents=True) == [
        "trips_20400101",
        "trips_20400102",
    ]
    assert len(events.instances(eventId="annual")["items"]) == 2
    assert len(events.instances(eventId="annual", timeMax="2036-01-01T00:00:00Z")["items"]) == 10


def test_times_at_the_end_of_the_calendar_are_no_trouble(events):
    """A series of the last or first years has instances, and bounds there select as elsewhere."""
    last = {"start": {"date": "9999-12-01"}, "end": {"date": "9999-12-02"}, "recurrence": ["RRULE:FREQ=WEEKLY"]}
    first = {
        "start": {"date": "0001-01-02"},
        "end": {"date": "0001-01-03"},
        "recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"],
    }
    events.insert(body={**last, "id": "later"})
    events.insert(body={**first, "id": "first"})

    assert len(events.ids(singleEvents=True)) == 7
    assert events.ids(singleEvents=True, timeMin="9999-12-20T00:00:00Z") == ["later_99991222", "later_99991229"]
    assert events.ids(singleEvents=True, timeMin="0001-01-02T00:00:00Z", timeMax="0002-01-01T00:00:00Z") == [
        "first_00010102",
        "first_00010109",
    ]


def test_changing_one_instance_makes_an_exception(events):
    """It is listed beside its series, stands in its place among the instances, and keeps its original start."""
    events.insert(body=WEEKLY)
    moved = {"start": {"dateTime": "2026-03-24T09:00:00+01:00"}, "end": {"dateTime": "2026-03-24T10:00:00+01:00"}}

    patched = events.patch(eventId=WEEKLY_IDS[1], body={**moved, "recurringEventId": "other", "id": "x"})

    assert (patched["id"], patched["recurringEventId"], patched["sequence"]) == (WEEKLY_IDS[1], "series", 1)
    assert patched["originalStartTime"]["dateTime"] == "2026-03-23T09:00:00+01:00"
    assert events.ids() == ["series", WEEKLY_IDS[1]]
    single = events.list(singleEvents=True)["items"]
    assert [item["start"]["dateTime"][8:10] for item in single] == ["16", "24", "30", "06"]
    assert [item["id"] for item in single] == WEEKLY_IDS
    updated = events.update(eventId=WEEKLY_IDS[1], body={**moved, "summary": "Moved"})
    assert updated["originalStartTime"] == patched["originalStartTime"]
    assert events.get(eventId=WEEKLY_IDS[1])["summary"] == "Moved"
    found = events.instances(eventId="series", originalStart="2026-03-23T08:00:00Z")["items"]
    assert [item["summary"] for item in found] == ["Moved"]


@pytest.mark.parametrize("how", ["delete", "status"])
def test_cancelling_one_instance_leaves_a_tombstone_beside_the_series(events, how):
    """Deleted or given status cancelled: it tells its series and original start, in full listings and syncs alike."""
    events.insert(body=WEEKLY)
    token = events.list()["nextSyncToken"]
    single_token = events.list(singleEvents=True)["nextSyncToken"]

    if how == "delete":
        events.delete(eventId=WEEKLY_IDS[0])
    else:
        events.update(eventId=WEEKLY_IDS[0], body={**WEEKLY, "recurrence": None, "status": "cancelled"})

    tombstone = {"status": "cancelled", "recurringEventId": "series"}
    for listing in (
        events.list(),
        events.list(syncToken=token),
        events.list(singleEvents=True, syncToken=single_token),
    ):
        (item,) = (item for item in listing["items"] if item["id"] == WEEKLY_IDS[0])
        assert item.items() >= tombstone.items()
        assert item["originalStartTime"]["dateTime"] == "2026-03-16T09:00:00+01:00"
        assert "summary" not in item
    assert events.ids(singleEvents=True) == WEEKLY_IDS[1:]
    assert events.ids(singleEvents=True, showDeleted=True) == WEEKLY_IDS
    assert [item["id"] for item in events.instances(eventId="series")["items"]] == WEEKLY_IDS[1:]
    assert len(events.instances(eventId="series", showDeleted=True)["items"]) == 4
    assert failure_of(events.delete, eventId=WEEKLY_IDS[0]) == (410, "deleted")
    assert failure_of(events.patch, eventId=WEEKLY_IDS[0], body={}) == (404, "notFound")


def synced(local: set[str], page: dict) -> set[str]:
    gone = {item["id"] for item in page["items"] if item["status"] == "cancelled"}
    return (local | {item["id"] for item in page["items"]}) - gone


@pytest.mark.parametrize(
    "change",
    [
        lambda events: events.patch(eventId="series", body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}),
        lambda events: events.patch(eventId="series", body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"]}),
        lambda events: events.patch(
            eventId="series", body={"start": {**WEEKLY["start"], "dateTime": "2026-03-16T08:00:00"}}
        ),
        lambda events: events.patch(eventId="series", body={"summary": "Other"}),
        lambda events: events.update(eventId="series", body={**WEEKLY, "recurrence": []}),
        lambda events: events.delete(eventId="series"),
        lambda events: events.delete(eventId=WEEKLY_IDS[3]),
        lambda events: events.patch(eventId=WEEKLY_IDS[3], body={"summary": "Other"}),
    ],
)
def test_a_copy_of_the_instances_stays_true_through_syncs(events, change):
    """Whatever happens to a series, the next sync tells which instances are new, changed and gone."""
    events.insert(body=WEEKLY)
    events.patch(eventId=WEEKLY_IDS[2], body={"summary": "Changed"})
    events.delete(eventId=WEEKLY_IDS[1])
    page = events.list(singleEvents=True)
    local = {item["id"] for item in page["items"]}

    change(events)

    assert synced(local, events.list(singleEvents=True, syncToken=page["nextSyncToken"])) == set(
        events.ids(singleEvents=True)
    )


def test_a_deleted_series_takes_its_exceptions_along(events):
    """A sync without singleEvents tells of the series and of each exception; nothing of it is listed afterwards."""
    events.insert(body=WEEKLY)
    events.patch(eventId=WEEKLY_IDS[2], body={"summary": "Changed"})
    token = events.list()["nextSyncToken"]

    events.delete(eventId="series")

    gone = events.list(syncToken=token)["items"]
    assert {item["id"]: item["status"] for item in gone} == {"series": "cancelled", WEEKLY_IDS[2]: "cancelled"}
    assert events.ids() == events.ids(singleEvents=True) == []
    assert events.get(eventId=WEEKLY_IDS[0])["status"] == "cancelled"
    assert failure_of(events.instances, eventId="series") == (404, "notFound")


def test_an_exception_that_the_rule_no_longer_has_is_cancelled(events):
    """After the rule became shorter, a changed instance behind its end is gone, too."""
    events.insert(body=WEEKLY)
    events.patch(eventId=WEEKLY_IDS[3], body={"summary": "Changed"})

    events.patch(eventId="series", body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})

    assert events.ids(singleEvents=True) == WEEKLY_IDS[:2]
    assert events.get(eventId=WEEKLY_IDS[3])["status"] == "cancelled"


def test_instances_come_in_pages(events):
    """Every instance once, changed ones among them; a foreign page token is refused."""
    events.insert(body=WEEKLY)
    events.insert(body=DAILY)
    events.patch(eventId=WEEKLY_IDS[1], body={"summary": "Changed"})

    first = events.instances(eventId="series", maxResults=3)
    second = events.instances(eventId="series", maxResults=3, pageToken=first["nextPageToken"])

    assert [item["id"] for page in (first, second) for item in page["items"]] == WEEKLY_IDS
    assert "nextPageToken" not in second
    assert "nextSyncToken" not in second
    assert failure_of(events.instances, eventId="trips", maxResults=3, pageToken=first["nextPageToken"])[0] == 400


@pytest.mark.parametrize(
    "event_id", ["series_20260317T080000Z", "series_20260316", "series_20269999T080000Z", "series_", "none_20260316"]
)
def test_what_is_no_instance_is_404(events, event_id):
    """An ID of the right form is not enough: the rule has to have it."""
    events.insert(body=WEEKLY)

    assert failure_of(events.get, eventId=event_id) == (404, "notFound")


def test_an_event_that_does_not_recur_has_no_instances(events):
    """events.instances of it is 404."""
    events.insert(body={**DAILY, "recurrence": []})

    assert failure_of(events.instances, eventId="trips") == (404, "notFound")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"recurrence": ["FREQ=WEEKLY"]}, (400, "invalid")),
        ({"recurrence": ["RRULE:FREQ=HOURLY"]}, (400, "invalid")),
        ({"recurrence": ["RRULE:FREQ=WEEKLY;INTERVAL=0"]}, (400, "invalid")),
        ({"recurrence": ["RRULE:FREQ=WEEKLY;BYDAY=XX"]}, (400, "invalid")),
        ({"recurrence": ["RRULE:FREQ=WEEKLY;COUNT"]}, (400, "invalid")),
        ({"recurrence": ["EXDATE:yesterday"]}, (400, "invalid")),
        ({"recurrence": ["EXDATE;TZID=Nowhere/Else:20260316T090000"]}, (400, "invalid")),
        ({"recurrence": [7]}, (400, "invalid")),
        ({"recurrence": "RRULE:FREQ=WEEKLY"}, (400, "invalid")),
        ({"start": {"dateTime": "2026-03-16T09:00:00+01:00"}}, (400, "required")),
        ({"start": {"dateTime": "2026-03-16T09:00:00", "timeZone": "Nowhere/Else"}}, (400, "invalid")),
    ],
)
def test_a_recurrence_that_is_none_is_400(events, body, expected):
    """A line, a rule or a date that cannot be read, or a time without its zone."""
    assert failure_of(events.insert, body={**WEEKLY, **body}) == expected


def test_an_instance_cannot_recur_itself(events):
    """A rule is the series' alone."""
    events.insert(body=WEEKLY)

    assert failure_of(events.patch, eventId=WEEKLY_IDS[0], body={"recurrence": ["RRULE:FREQ=DAILY"]}) == (
        400,
        "invalid",
    )


def test_order_by_start_needs_single_events(events):
    """Google refuses to order series by start."""
    assert failure_of(events.list, orderBy="startTime") == (400, "invalid")
    assert events.list(orderBy="startTime", singleEvents=True)["items"] == []


def test_instances_are_ordered_by_time_not_by_text(events):
    """Offsets differ, the order is that of the moments."""
    for event_id, start in (("late1", "2026-03-16T01:00:00-05:00"), ("first", "2026-03-16T05:00:00+09:00")):
        end = start.replace("00:00", "30:00", 1)
        events.insert(body={"id": event_id, "start": {"dateTime": start}, "end": {"dateTime": end}})

    assert events.ids(singleEvents=True, orderBy="startTime") == ["first", "late1"]
