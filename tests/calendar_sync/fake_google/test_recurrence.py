"""Recurring events of the fake server: rules, instances, time ranges, with the real client."""

from __future__ import annotations

import pytest

from tests.calendar_sync.fake_google.series import SERIES, SERIES_IDS, TRIPS, Events, failure_of


@pytest.fixture
def events(service, calendar_ids, control) -> Events:
    """The events of a new calendar of the first account."""
    account = control.state()["accounts"][0]["id"]
    return Events(service, control.add_calendar(account, "team", summary="Team")["id"])


def test_a_series_is_one_event_until_single_events_are_asked_for(events):
    """The parent has the rule; its instances come with singleEvents, in local time across the change of clocks."""
    events.insert(body=SERIES)

    assert [item["recurrence"] for item in events.list()["items"]] == [SERIES["recurrence"]]
    items = events.list(singleEvents=True, orderBy="startTime")["items"]
    assert [item["id"] for item in items] == SERIES_IDS
    assert [item["start"]["dateTime"] for item in items[1:3]] == [
        "2026-03-23T09:00:00+01:00",
        "2026-03-30T09:00:00+02:00",
    ]
    assert items[2]["end"] == {"dateTime": "2026-03-30T10:00:00+02:00", "timeZone": "Europe/Berlin"}
    assert {item["recurringEventId"] for item in items} == {"series"}
    assert all(item["originalStartTime"] == item["start"] and "recurrence" not in item for item in items)
    assert events.get(eventId=SERIES_IDS[2]) == items[2]


def test_an_all_day_series_has_instances_by_date(events):
    """Their IDs end in the date, and so do start, end and originalStartTime."""
    events.insert(body=TRIPS)

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
    events.insert(body={**SERIES, "recurrence": recurrence})

    assert [item["start"]["dateTime"][8:10] for item in events.instances(eventId="series")["items"]] == days


def test_a_time_range_selects_instances_and_series(events):
    """TimeMin and timeMax choose among the instances; without singleEvents a series is there if one of them is."""
    events.insert(body=SERIES)
    within = {"timeMin": "2026-03-20T00:00:00Z", "timeMax": "2026-03-30T07:00:00Z"}

    assert events.ids(**within, singleEvents=True) == SERIES_IDS[1:2]
    assert events.ids(timeMin="2026-03-30T07:59:59Z", singleEvents=True) == SERIES_IDS[2:]
    assert events.ids(**within) == ["series"]
    assert events.ids(timeMin="2026-04-06T08:00:00Z") == []
    assert failure_of(events.list, timeMin=within["timeMax"], timeMax=within["timeMin"]) == (400, "timeRangeEmpty")


def test_an_endless_series_is_followed_for_two_years(events):
    """730 days from its start or timeMin, 730 instances at most; with timeMax as far as that."""
    events.insert(body={**TRIPS, "recurrence": ["RRULE:FREQ=DAILY"]})
    events.insert(body={**TRIPS, "id": "annual", "recurrence": ["RRULE:FREQ=YEARLY"]})

    dates = [event_id for event_id in events.ids(singleEvents=True, maxResults=100) if event_id.startswith("trips")]
    assert (len(dates), dates[-1]) == (730, "trips_20280229")
    assert events.ids(timeMin="2040-01-01T00:00:00Z", timeMax="2040-01-03T00:00:00Z", singleEvents=True) == [
        "trips_20400101",
        "trips_20400102",
    ]
    assert len(events.instances(eventId="annual")["items"]) == 2
    assert len(events.instances(eventId="annual", timeMax="2036-01-01T00:00:00Z")["items"]) == 10


@pytest.mark.parametrize(
    ("day", "starts"),
    [
        ("2026-03-28", ["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-30T02:30:00+02:00"]),
        ("2026-10-24", ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]),
    ],
)
def test_the_night_the_clocks_change_has_its_instance(events, day, starts):
    """A local time that is left out is an hour later, one that comes twice is the first; each can be got by its ID."""
    times = {"start": {"dateTime": f"{day}T02:30:00", "timeZone": "Europe/Berlin"}}
    times["end"] = times["start"] | {"dateTime": f"{day}T02:45:00"}
    events.insert(body={"id": "nidnit", **times, "recurrence": ["RRULE:FREQ=DAILY;COUNT=3"]})

    items = events.list(singleEvents=True)["items"]

    assert [item["start"]["dateTime"] for item in items] == starts
    assert [events.get(eventId=item["id"]) for item in items] == items


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


def test_instances_come_in_pages(events):
    """Every instance once, changed ones among them; a foreign page token is refused."""
    events.insert(body=SERIES)
    events.insert(body=TRIPS)
    events.patch(eventId=SERIES_IDS[1], body={"summary": "Changed"})

    first = events.instances(eventId="series", maxResults=3)
    second = events.instances(eventId="series", maxResults=3, pageToken=first["nextPageToken"])

    assert [item["id"] for page in (first, second) for item in page["items"]] == SERIES_IDS
    assert "nextPageToken" not in second
    assert "nextSyncToken" not in second
    assert failure_of(events.instances, eventId="trips", maxResults=3, pageToken=first["nextPageToken"])[0] == 400


@pytest.mark.parametrize(
    "event_id", ["series_20260317T080000Z", "series_20260316", "series_20269999T080000Z", "series_", "none_20260316"]
)
def test_what_is_no_instance_is_404(events, event_id):
    """An ID of the right form is not enough: the rule has to have it."""
    events.insert(body=SERIES)

    assert failure_of(events.get, eventId=event_id) == (404, "notFound")


def test_an_event_that_does_not_recur_has_no_instances(events):
    """events.instances of it is 404."""
    events.insert(body={**TRIPS, "recurrence": []})

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
    assert failure_of(events.insert, body={**SERIES, **body}) == expected


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
