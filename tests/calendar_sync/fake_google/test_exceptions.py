"""Changed and cancelled instances of recurring events, and what syncs tell of them, with the real client."""

from __future__ import annotations

import pytest

from tests.calendar_sync.fake_google.series import SERIES, SERIES_IDS, Events, failure_of


@pytest.fixture
def events(service, calendar_ids, control) -> Events:
    """The events of a new calendar of the first account."""
    account = control.state()["accounts"][0]["id"]
    return Events(service, control.add_calendar(account, "team", summary="Team")["id"])


def test_changing_one_instance_makes_an_exception(events):
    """It is listed beside its series, stands in its place among the instances, and keeps its original start."""
    events.insert(body=SERIES)
    moved = {"start": {"dateTime": "2026-03-24T09:00:00+01:00"}, "end": {"dateTime": "2026-03-24T10:00:00+01:00"}}

    patched = events.patch(eventId=SERIES_IDS[1], body={**moved, "recurringEventId": "other", "id": "x"})

    assert (patched["id"], patched["recurringEventId"], patched["sequence"]) == (SERIES_IDS[1], "series", 1)
    assert patched["originalStartTime"]["dateTime"] == "2026-03-23T09:00:00+01:00"
    assert events.ids() == ["series", SERIES_IDS[1]]
    single = events.list(singleEvents=True)["items"]
    assert [item["start"]["dateTime"][8:10] for item in single] == ["16", "24", "30", "06"]
    assert [item["id"] for item in single] == SERIES_IDS
    updated = events.update(eventId=SERIES_IDS[1], body={**moved, "summary": "Moved"})
    assert updated["originalStartTime"] == patched["originalStartTime"]
    assert events.get(eventId=SERIES_IDS[1])["summary"] == "Moved"
    found = events.instances(eventId="series", originalStart="2026-03-23T08:00:00Z")["items"]
    assert [item["summary"] for item in found] == ["Moved"]


@pytest.mark.parametrize("how", ["delete", "status"])
def test_cancelling_one_instance_leaves_a_tombstone_beside_the_series(events, how):
    """Deleted or given status cancelled: it tells its series and original start, in full listings and syncs alike."""
    events.insert(body=SERIES)
    token = events.list()["nextSyncToken"]
    single_token = events.list(singleEvents=True)["nextSyncToken"]

    if how == "delete":
        events.delete(eventId=SERIES_IDS[0])
    else:
        events.update(eventId=SERIES_IDS[0], body={**SERIES, "recurrence": None, "status": "cancelled"})

    tombstone = {"status": "cancelled", "recurringEventId": "series"}
    for listing in (
        events.list(),
        events.list(syncToken=token),
        events.list(singleEvents=True, syncToken=single_token),
    ):
        (item,) = (item for item in listing["items"] if item["id"] == SERIES_IDS[0])
        assert item.items() >= tombstone.items()
        assert item["originalStartTime"]["dateTime"] == "2026-03-16T09:00:00+01:00"
        assert "summary" not in item
    assert events.ids(singleEvents=True) == SERIES_IDS[1:]
    assert events.ids(singleEvents=True, showDeleted=True) == SERIES_IDS
    assert [item["id"] for item in events.instances(eventId="series")["items"]] == SERIES_IDS[1:]
    assert len(events.instances(eventId="series", showDeleted=True)["items"]) == 4
    assert failure_of(events.delete, eventId=SERIES_IDS[0]) == (410, "deleted")
    assert failure_of(events.patch, eventId=SERIES_IDS[0], body={}) == (404, "notFound")


def synced(local: set[str], page: dict) -> set[str]:
    gone = {item["id"] for item in page["items"] if item["status"] == "cancelled"}
    return (local | {item["id"] for item in page["items"]}) - gone


@pytest.mark.parametrize(
    "change",
    [
        lambda events: events.patch(eventId="series", body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]}),
        lambda events: events.patch(eventId="series", body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=6"]}),
        lambda events: events.patch(
            eventId="series", body={"start": {**SERIES["start"], "dateTime": "2026-03-16T08:00:00"}}
        ),
        lambda events: events.patch(eventId="series", body={"summary": "Other"}),
        lambda events: events.update(eventId="series", body={**SERIES, "recurrence": []}),
        lambda events: events.delete(eventId="series"),
        lambda events: events.delete(eventId=SERIES_IDS[3]),
        lambda events: events.patch(eventId=SERIES_IDS[3], body={"summary": "Other"}),
    ],
)
def test_a_copy_of_the_instances_stays_true_through_syncs(events, change):
    """Whatever happens to a series, the next sync tells which instances are new, changed and gone."""
    events.insert(body=SERIES)
    events.patch(eventId=SERIES_IDS[2], body={"summary": "Changed"})
    events.delete(eventId=SERIES_IDS[1])
    page = events.list(singleEvents=True)
    local = {item["id"] for item in page["items"]}

    change(events)

    assert synced(local, events.list(singleEvents=True, syncToken=page["nextSyncToken"])) == set(
        events.ids(singleEvents=True)
    )


def test_a_deleted_series_takes_its_exceptions_along(events):
    """A sync without singleEvents tells of the series and of each exception; nothing of it is listed afterwards."""
    events.insert(body=SERIES)
    events.patch(eventId=SERIES_IDS[2], body={"summary": "Changed"})
    token = events.list()["nextSyncToken"]

    events.delete(eventId="series")

    gone = events.list(syncToken=token)["items"]
    assert {item["id"]: item["status"] for item in gone} == {"series": "cancelled", SERIES_IDS[2]: "cancelled"}
    assert events.ids() == events.ids(singleEvents=True) == []
    assert events.get(eventId=SERIES_IDS[0])["status"] == "cancelled"
    assert failure_of(events.instances, eventId="series") == (404, "notFound")


def test_an_exception_that_the_rule_no_longer_has_is_cancelled(events):
    """After the rule became shorter, a changed instance behind its end is gone, too."""
    events.insert(body=SERIES)
    events.patch(eventId=SERIES_IDS[3], body={"summary": "Changed"})

    events.patch(eventId="series", body={"recurrence": ["RRULE:FREQ=WEEKLY;COUNT=2"]})

    assert events.ids(singleEvents=True) == SERIES_IDS[:2]
    assert events.get(eventId=SERIES_IDS[3])["status"] == "cancelled"


def test_an_instance_cannot_recur_itself(events):
    """A rule is the series' alone."""
    events.insert(body=SERIES)

    assert failure_of(events.patch, eventId=SERIES_IDS[0], body={"recurrence": ["RRULE:FREQ=DAILY"]}) == (
        400,
        "invalid",
    )
