"""An account's list of calendars: filters, hidden ones, what a sync token forbids, single entries."""

from __future__ import annotations

import pytest
from googleapiclient.errors import HttpError

from calendar_sync.fake_google import demo_accounts
from tests.calendar_sync.fake_google.conftest import reason_of

ANNA = demo_accounts(1)[0].id


def ids(answer: dict) -> set[str]:
    return {item["id"] for item in answer["items"]}


def test_one_entry_can_be_had(service, calendar_ids):
    """calendarList.get answers with what the list shows; another's or no calendar is 404."""
    entries = service.calendarList().list().execute()["items"]

    assert service.calendarList().get(calendarId=calendar_ids[1]).execute() in entries
    with pytest.raises(HttpError) as failure:
        service.calendarList().get(calendarId="none").execute()
    assert reason_of(failure.value) == (404, "notFound")


@pytest.mark.parametrize(
    ("lowest", "expected"),
    [
        ("freeBusyReader", {"f", "r", "p", "w"}),
        ("reader", {"r", "p", "w"}),
        ("writerWithoutPrivateAccess", {"p", "w"}),
        ("writer", {"w"}),
        ("owner", set()),
    ],
)
def test_a_lowest_role_leaves_out_what_may_be_done_less_with(service, control, calendar_ids, lowest, expected):
    """MinAccessRole keeps that role and the stronger ones, and such a listing offers no sync token."""
    roles = {"f": "freeBusyReader", "r": "reader", "p": "writerWithoutPrivateAccess", "w": "writer"}
    for calendar, role in roles.items():
        control.add_calendar(ANNA, calendar, accessRole=role)

    answer = service.calendarList().list(minAccessRole=lowest).execute()

    assert ids(answer) == expected | set(calendar_ids)
    assert "nextSyncToken" not in answer


def test_hidden_calendars_are_shown_on_request_and_in_every_incremental_sync(service, control, calendar_ids):
    """A hidden entry is left out of a full listing unless showHidden; a sync tells that it was hidden."""
    token = service.calendarList().list().execute()["nextSyncToken"]
    control.add_calendar(ANNA, "secret", hidden=True)

    assert "secret" not in ids(service.calendarList().list().execute())
    assert "secret" in ids(service.calendarList().list(showHidden=True).execute())
    assert ids(service.calendarList().list(syncToken=token).execute()) == {"secret"}


def test_deleted_calendars_are_shown_on_request(service, control, calendar_ids):
    """A full listing has their tombstones with showDeleted only."""
    control.delete_calendar(calendar_ids[0])

    shown = service.calendarList().list(showDeleted=True).execute()["items"]

    assert calendar_ids[0] not in ids(service.calendarList().list().execute())
    assert [item["id"] for item in shown if item.get("deleted")] == [calendar_ids[0]]


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({"minAccessRole": "reader"}, 400),
        ({"showOwnOrganizationOnly": True}, 400),
        ({"showDeleted": False}, 400),
        ({"showHidden": False}, 400),
        ({"showDeleted": True, "showHidden": True, "maxResults": 3}, 200),
    ],
)
def test_what_a_sync_token_forbids_is_400(service, parameters, status):
    """A filter by role, and anything that would hide what was deleted or hidden since."""
    token = service.calendarList().list().execute()["nextSyncToken"]
    request = service.calendarList().list(syncToken=token, **parameters)

    if status == 200:
        request.execute()
    else:
        with pytest.raises(HttpError) as failure:
            request.execute()
        assert failure.value.resp.status == status


@pytest.mark.parametrize("query", [{"minAccessRole": "king"}, {"showHidden": "maybe"}])
def test_values_without_a_meaning_are_400(api, query):
    """A role or a truth value that does not exist."""
    answer = api("GET", "users", "me", "calendarList", **query)

    assert answer.status_code == 400
    assert answer.json()["error"]["errors"][0]["location"] == next(iter(query))


def test_a_calendar_cannot_be_added_with_an_unknown_role(control):
    """The control says which roles there are."""
    with pytest.raises(ValueError, match="expected one of freeBusyReader"):
        control.add_calendar(ANNA, "x", accessRole="king")
