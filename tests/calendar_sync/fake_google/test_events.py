"""Events of the fake server: insert, get, patch, update, delete, over HTTP."""

from __future__ import annotations

import pytest
import requests

BODY = {
    "summary": "Stand-up",
    "start": {"dateTime": "2026-03-01T09:00:00+01:00"},
    "end": {"dateTime": "2026-03-01T09:15:00+01:00"},
}


@pytest.fixture
def events(calendar_ids: list[str]) -> tuple[str, str, str]:
    return ("calendars", calendar_ids[0], "events")


def reason(answer) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["errors"][0]["reason"]


def test_insert_with_the_clients_id_happens_once(api, events):
    """A second insert under the same ID is 409 duplicate, and the event is there once."""
    body = {**BODY, "id": "abc123"}

    assert api("POST", *events, json=body).json()["id"] == "abc123"
    assert reason(api("POST", *events, json=body)) == (409, "duplicate")
    assert api("GET", *events, "abc123").json()["summary"] == "Stand-up"


def test_insert_without_an_id_makes_one(api, events):
    """The server's own IDs are valid for it."""
    made = api("POST", *events, json=BODY).json()

    assert api("GET", *events, made["id"]).json() == made


@pytest.mark.parametrize("event_id", ["abc", "ABCDEF", "xyz123", "a b c d"])
def test_an_id_outside_base32hex_is_400(api, events, event_id):
    """Google allows a-v and 0-9, 5 to 1,024 characters."""
    assert api("POST", *events, json={**BODY, "id": event_id}).status_code == 400


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"start": None}, (400, "required")),
        ({"end": {"date": "tomorrow"}}, (400, "invalid")),
        ({"end": {}}, (400, "invalid")),
        ({"end": {"dateTime": "2026-02-01T09:00:00+01:00"}}, (400, "timeRangeEmpty")),
        ({"end": {"dateTime": 7}}, (400, "invalid")),
        ({"end": {"dateTime": "9999-12-31T23:59:59-12:00"}}, (400, "invalid")),
        ({"start": {"dateTime": "0001-01-01T00:00:00+14:00"}}, (400, "invalid")),
    ],
)
def test_bad_times_are_400(api, events, change, expected):
    """An event needs a start and an end that can be read, in that order."""
    assert reason(api("POST", *events, json={**BODY, **change})) == expected


@pytest.mark.parametrize("body", [b"{", b"[]", b'"text"'])
def test_a_body_that_is_no_object_is_400(fake, calendar_ids, body):
    """Broken JSON and other values than objects are refused."""
    address = f"{fake.url}calendar/v3/calendars/{requests.utils.quote(calendar_ids[0], safe='')}/events"
    answer = requests.post(address, data=body, headers={"Authorization": "Bearer fake-token-anna"}, timeout=10)

    assert answer.status_code == 400


def test_patch_changes_only_what_is_sent_and_gives_a_new_etag(api, events):
    """Other fields stay; etag, updated and sequence move on; read-only fields cannot be set."""
    made = api("POST", *events, json=BODY).json()

    patched = api("PATCH", *events, made["id"], json={"summary": "Daily", "etag": "mine", "id": "other1"}).json()

    assert (patched["summary"], patched["start"], patched["id"]) == ("Daily", BODY["start"], made["id"])
    assert patched["etag"] not in {made["etag"], "mine"}
    assert patched["sequence"] == made["sequence"] + 1


def test_update_replaces_the_event(api, events):
    """A field that is not sent is gone after an update."""
    made = api("POST", *events, json={**BODY, "location": "Room 1"}).json()

    updated = api("PUT", *events, made["id"], json=BODY).json()

    assert "location" not in updated
    assert updated["created"] == made["created"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_stale_if_match_is_412(api, events, method):
    """A write that names another version than the current one changes nothing."""
    made = api("POST", *events, json=BODY).json()

    answer = api(method, *events, made["id"], json={"summary": "Late"}, headers={"If-Match": '"old"'})

    assert reason(answer) == (412, "conditionNotMet")
    assert api("GET", *events, made["id"]).json()["summary"] == "Stand-up"


def test_a_deleted_event_leaves_a_tombstone(api, events):
    """Delete is 204; get then shows status cancelled, a second delete is 410 deleted, a patch 404, an insert 409."""
    made = api("POST", *events, json=BODY).json()

    assert api("DELETE", *events, made["id"]).status_code == 204
    assert api("GET", *events, made["id"]).json()["status"] == "cancelled"
    assert reason(api("DELETE", *events, made["id"])) == (410, "deleted")
    assert reason(api("PATCH", *events, made["id"], json={})) == (404, "notFound")
    assert reason(api("POST", *events, json={**BODY, "id": made["id"]})) == (409, "duplicate")


def test_what_is_not_there_is_404(api, calendar_ids):
    """An unknown event, an unknown calendar and an unknown method of the API."""
    assert reason(api("GET", "calendars", calendar_ids[0], "events", "nosuchevent")) == (404, "notFound")
    assert reason(api("GET", "calendars", "nobody@example.com", "events")) == (404, "notFound")
    assert reason(api("POST", "calendars", calendar_ids[0], "clear")) == (404, "notFound")


def test_primary_is_the_first_calendar(api, calendar_ids):
    """`primary` names a calendar without knowing its ID."""
    assert api("GET", "calendars", "primary", "events", maxResults=1).json()["summary"] == "Holidays in Germany"
