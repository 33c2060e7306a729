"""Pages and sync tokens of the fake server, over HTTP."""

from __future__ import annotations

import pytest

from calendar_sync.fake_google import ControlClient, demo_accounts
from tests.calendar_sync.conftest import Api


def all_pages(api: Api, *path: str, **query: object) -> list[dict]:
    pages = []
    token = {}
    while True:
        answer = api("GET", *path, **{**query, **token})
        assert answer.status_code == 200, answer.text
        pages.append(answer.json())
        if "nextPageToken" not in pages[-1]:
            return pages
        token = {"pageToken": pages[-1]["nextPageToken"]}


@pytest.fixture
def events(calendar_ids: list[str]) -> tuple[str, str, str]:
    return ("calendars", calendar_ids[0], "events")


def test_every_event_comes_once_and_the_sync_token_only_on_the_last_page(api, control, calendar_ids, events):
    """Pages partition the calendar in order of start; nextSyncToken and nextPageToken exclude each other."""
    pages = all_pages(api, *events, maxResults=7)

    ids = [item["id"] for page in pages for item in page["items"]]
    assert len(pages) > 2
    assert [("nextSyncToken" in page) for page in pages] == [False] * (len(pages) - 1) + [True]
    assert sorted(ids) == sorted(item["id"] for item in control.events(calendar_ids[0]))
    starts = [item["start"]["date"] for page in pages for item in page["items"]]
    assert starts == sorted(starts)


def test_a_sync_token_brings_changes_and_tombstones_only(api, control, calendar_ids, events):
    """Added, changed and deleted events come back in order of change; deleted ones as status cancelled."""
    token = all_pages(api, *events)[-1]["nextSyncToken"]
    done = control.mutate(calendar_ids[0], add=2, change=3, delete=4)

    items = [item for page in all_pages(api, *events, syncToken=token, maxResults=2) for item in page["items"]]

    assert {item["id"] for item in items if item["status"] == "cancelled"} == set(done["deleted"])
    assert {item["id"] for item in items if item["status"] != "cancelled"} == {*done["added"], *done["changed"]}
    assert all("summary" not in item for item in items if item["status"] == "cancelled")


def test_nothing_changed_is_an_empty_page_with_a_new_token(api, events):
    """An incremental sync without news has no items and still a sync token."""
    token = all_pages(api, *events)[-1]["nextSyncToken"]

    (page,) = all_pages(api, *events, syncToken=token)

    assert page["items"] == []
    assert page["nextSyncToken"]


def test_a_change_while_somebody_pages_comes_with_the_next_sync(api, control, calendar_ids, events):
    """The sync token counts from the first page, so nothing falls between the pages and the next sync."""
    first = api("GET", *events, maxResults=5).json()
    done = control.mutate(calendar_ids[0], add=1, change=1, delete=1)
    rest = all_pages(api, *events, maxResults=5, pageToken=first["nextPageToken"])

    news = all_pages(api, *events, syncToken=rest[-1]["nextSyncToken"])[0]["items"]

    assert {item["id"] for item in news} == {*done["added"], *done["changed"], *done["deleted"]}


@pytest.mark.parametrize("token", ["nonsense", "bm9uc2Vuc2U", "eyJpbnN0YW5jZSI6IngifQ"])
def test_an_unknown_sync_token_is_410_full_sync_required(api, events, token):
    """A token that this server did not make is gone, with Google's reason."""
    answer = api("GET", *events, syncToken=token)

    assert answer.status_code == 410
    assert answer.json()["error"]["errors"][0]["reason"] == "fullSyncRequired"


def test_expired_sync_tokens_are_410_for_the_calendar_they_belong_to(api, control, calendar_ids):
    """Expiring one calendar's tokens leaves the others' valid."""
    tokens = {
        calendar: all_pages(api, "calendars", calendar, "events")[-1]["nextSyncToken"] for calendar in calendar_ids[:2]
    }
    control.expire_sync_tokens(calendar=calendar_ids[0])

    statuses = [
        api("GET", "calendars", calendar, "events", syncToken=token).status_code for calendar, token in tokens.items()
    ]

    assert statuses == [410, 200]


def test_tokens_of_another_calendar_are_refused(api, calendar_ids):
    """A sync token is bound to its calendar (410), and so is a page token (400)."""
    page_token = api("GET", "calendars", calendar_ids[0], "events", maxResults=5).json()["nextPageToken"]
    sync_token = all_pages(api, "calendars", calendar_ids[0], "events")[-1]["nextSyncToken"]

    other = ("calendars", calendar_ids[1], "events")

    assert api("GET", *other, maxResults=5, pageToken=page_token).status_code == 400
    assert api("GET", *other, syncToken=sync_token).status_code == 410


@pytest.mark.parametrize(
    "name", ["iCalUID", "orderBy", "q", "timeMin", "timeMax", "updatedMin", "privateExtendedProperty"]
)
def test_parameters_a_sync_token_forbids_are_400(api, events, name):
    """Google refuses filters together with syncToken."""
    token = all_pages(api, *events)[-1]["nextSyncToken"]

    answer = api("GET", *events, syncToken=token, **{name: "2024-01-01T00:00:00Z"})

    assert answer.status_code == 400


def test_a_sync_token_forbids_to_hide_what_was_deleted(api, control, calendar_ids, events):
    """ShowDeleted may be true, which changes nothing, but not false."""
    token = all_pages(api, *events)[-1]["nextSyncToken"]
    deleted = control.mutate(calendar_ids[0], delete=1)["deleted"]

    assert api("GET", *events, syncToken=token, showDeleted="false").status_code == 400
    assert [item["id"] for item in api("GET", *events, syncToken=token, showDeleted="true").json()["items"]] == deleted


def test_a_full_listing_has_tombstones_on_request(api, control, calendar_ids, events):
    """showDeleted, and updatedMin for what was deleted since, as Google documents."""
    before = api("GET", *events).json()["items"]
    (deleted,) = control.mutate(calendar_ids[0], delete=1)["deleted"]
    updated = api("GET", *events, deleted).json()["updated"]

    assert deleted not in {item["id"] for item in api("GET", *events).json()["items"]}
    assert len(api("GET", *events, showDeleted="true").json()["items"]) == len(before)
    assert deleted in {item["id"] for item in api("GET", *events, updatedMin=updated).json()["items"]}


@pytest.mark.parametrize("size", ["0", "-1", "many", "１"])
def test_a_bad_page_size_is_400(api, events, size):
    """MaxResults has to be a positive ASCII integer."""
    answer = api("GET", *events, maxResults=size)

    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["location"] == "maxResults"


def test_page_sizes_are_cut_to_googles_limits(api, events):
    """events.list gives 250 by default and at most 2,500; asking for more is no error."""
    assert "nextPageToken" not in api("GET", *events, maxResults=100_000).json()


def test_filters_narrow_a_listing(api, events):
    """timeMin, timeMax and q select as documented, and such a listing offers no sync token."""
    page = api("GET", *events, timeMin="2025-01-01T00:00:00Z", timeMax="2026-01-01T00:00:00Z", q="christmas").json()

    assert page["items"]
    assert {item["start"]["date"][:4] for item in page["items"]} == {"2025"}
    assert all("christmas" in item["summary"].lower() for item in page["items"])
    assert "nextSyncToken" not in page


def test_order_by_updated_lists_the_newest_change_last(api, control, calendar_ids, events):
    """orderBy=updated sorts by time of change; any other value is 400."""
    added = control.mutate(calendar_ids[0], add=1)["added"]

    assert api("GET", *events, orderBy="updated").json()["items"][-1]["id"] == added[0]
    assert api("GET", *events, orderBy="colour").status_code == 400


def test_an_unimplemented_parameter_is_refused(api, events):
    """The server does not pretend: a parameter it would ignore is a 400 that names it."""
    answer = api("GET", *events, eventTypes="focusTime")

    assert answer.status_code == 400
    assert "eventTypes" in answer.json()["error"]["message"]


def test_the_calendar_list_has_pages_and_sync_tokens_too(api, control, calendar_ids):
    """calendarList.list pages, then tells of added and deleted calendars."""
    pages = all_pages(api, "users", "me", "calendarList", maxResults=2)
    assert [item["id"] for page in pages for item in page["items"]] == sorted(calendar_ids)
    control.add_calendar(demo_accounts(1)[0].id, "team@group.calendar.google.com", summary="Team")
    control.delete_calendar(calendar_ids[0])

    news = all_pages(api, "users", "me", "calendarList", syncToken=pages[-1]["nextSyncToken"])[0]["items"]

    assert {item["id"]: item.get("deleted", False) for item in news} == {
        "team@group.calendar.google.com": False,
        calendar_ids[0]: True,
    }


def test_the_data_are_real_holidays(control: ControlClient, calendar_ids):
    """German Unity Day is where the holidays package has it, and the same on every start."""
    german = control.events(calendar_ids[0])

    assert {event["start"]["date"] for event in german if "Unity" in event["summary"]} == {
        "2024-10-03",
        "2025-10-03",
        "2026-10-03",
    }


@pytest.mark.parametrize("query", [{"timeMin": "soon"}, {"timeMax": "2026-01-01T00:00:00"}, {"updatedMin": ""}])
def test_a_time_without_offset_or_sense_is_400(api, events, query):
    """Google wants RFC 3339 with an offset."""
    assert api("GET", *events, **query).status_code == 400


def test_tokens_that_expire_between_two_pages_are_410(api, control, calendar_ids, events):
    """An incremental listing cannot go on; a full one can, since it needs no history."""
    token = all_pages(api, *events)[-1]["nextSyncToken"]
    control.mutate(calendar_ids[0], change=4)
    incremental = api("GET", *events, syncToken=token, maxResults=2).json()["nextPageToken"]
    full = api("GET", *events, maxResults=2).json()["nextPageToken"]
    control.expire_sync_tokens(calendar=calendar_ids[0])

    assert api("GET", *events, syncToken=token, maxResults=2, pageToken=incremental).status_code == 410
    assert api("GET", *events, maxResults=2, pageToken=full).status_code == 200
