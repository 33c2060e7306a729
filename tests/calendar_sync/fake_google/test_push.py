"""Push notifications of the fake server: which changes are told, in which order, and what happens on failures."""

from __future__ import annotations

import threading
import time

import pytest
from google.oauth2.credentials import Credentials

from calendar_sync.fake_google import FakeGoogle, FakeGoogleServer, QuotaLimits, demo_accounts
from tests.calendar_sync.conftest import SEED
from tests.calendar_sync.fake_google.conftest import service_for
from tests.calendar_sync.fake_google.receiver import Receiver

ANNA = demo_accounts(1)[0]
EVENT = {"summary": "x", "start": {"date": "2026-01-01"}, "end": {"date": "2026-01-02"}}


def test_every_change_of_the_calendar_is_told_in_order(watch, service, control, receiver, calendar_ids):
    """Writes through the API and through the control, with rising numbers; reads and other calendars are not told."""
    watch()
    events = service.events()
    event = events.insert(calendarId=calendar_ids[0], body=EVENT).execute()
    events.patch(calendarId=calendar_ids[0], eventId=event["id"], body={"summary": "y"}).execute()
    events.delete(calendarId=calendar_ids[0], eventId=event["id"]).execute()
    events.list(calendarId=calendar_ids[0]).execute()
    events.insert(calendarId=calendar_ids[1], body=EVENT).execute()
    control.mutate(calendar_ids[0], add=1, change=1)

    control.wait_for_notifications()

    assert receiver.told() == [("c1", "1", "sync"), *(("c1", str(number), "exists") for number in range(2, 7))]
    assert "X-Goog-Channel-Token" not in receiver.received[0]


def test_the_calendar_list_can_be_watched(service, control, receiver, calendar_ids):
    """Added and deleted calendars are told to its channel; a deleted calendar no longer exists for its own."""
    for channel_id, request in (
        ("list", lambda body: service.calendarList().watch(body=body)),
        ("events", lambda body: service.events().watch(calendarId=calendar_ids[0], body=body)),
    ):
        request({"id": channel_id, "type": "webhook", "address": receiver.url}).execute()
    control.add_calendar(ANNA.id, "team")
    control.delete_calendar(calendar_ids[0])

    control.wait_for_notifications()

    told = receiver.told()
    assert [entry for entry in told if entry[0] == "list"] == [
        ("list", "1", "sync"),
        ("list", "2", "exists"),
        ("list", "3", "exists"),
    ]
    assert [entry for entry in told if entry[0] == "events"] == [("events", "1", "sync"), ("events", "2", "not_exists")]


@pytest.mark.parametrize("failure", [500, 502, 503, 504, None])
def test_a_failure_that_may_pass_is_tried_again(watch, control, receiver, calendar_ids, failure):
    """The same message comes again after a while, before the next one."""
    receiver.statuses = [failure, failure]
    watch()
    control.mutate(calendar_ids[0], add=1)

    (state,) = control.wait_for_notifications()

    assert receiver.told() == [("c1", "1", "sync")] * 3 + [("c1", "2", "exists")]
    assert (state["attempts"], state["delivered"], state["failed"]) == (4, 2, 0)


def test_a_message_is_given_up_after_four_attempts(watch, control, receiver, calendar_ids):
    """Then the next one is delivered."""
    receiver.statuses = [503] * 4
    watch()
    control.mutate(calendar_ids[0], add=1)

    (state,) = control.wait_for_notifications()

    assert receiver.told() == [("c1", "1", "sync")] * 4 + [("c1", "2", "exists")]
    assert (state["delivered"], state["failed"], state["last_status"]) == (1, 1, 200)


@pytest.mark.parametrize("status", [400, 404, 301, 501])
def test_any_other_answer_is_a_failure_at_once(watch, control, receiver, status):
    """Google gives up at once as well."""
    receiver.statuses = [status]
    watch()

    (state,) = control.wait_for_notifications()

    assert (state["attempts"], state["failed"], state["last_status"]) == (1, 1, status)


def test_nobody_there_is_a_failure(service, control, receiver, calendar_ids):
    """A refused connection counts as no answer."""
    receiver.close()
    service.events().watch(
        calendarId=calendar_ids[0], body={"id": "c1", "type": "web_hook", "address": receiver.url}
    ).execute()

    (state,) = control.wait_for_notifications()

    assert (state["attempts"], state["failed"], state["last_status"]) == (4, 1, None)


def test_a_receiver_that_takes_its_time_holds_up_no_request(watch, service, control, receiver, calendar_ids):
    """The API answers while a delivery waits, and all is told in the end."""
    receiver.held.clear()
    watch()

    started = time.monotonic()
    for _ in range(3):
        service.events().insert(calendarId=calendar_ids[0], body=EVENT).execute()
    assert time.monotonic() - started < 1

    assert control.channels()[0]["pending"] == 4
    with pytest.raises(TimeoutError, match=r"still pending after 0\.01 s"):
        control.wait_for_notifications(timeout_s=0.01)
    receiver.held.set()
    control.wait_for_notifications()
    assert [number for _, number, _ in receiver.told()] == ["1", "2", "3", "4"]


def test_one_failing_channel_does_not_hold_up_another(watch, control, receiver, service, calendar_ids):
    """While one waits for its next attempt, the other's messages are delivered."""
    other = Receiver()
    try:
        other.statuses = [503] * 3
        body = {"id": "slow", "type": "web_hook", "address": other.url}
        service.events().watch(calendarId=calendar_ids[0], body=body).execute()
        watch("fast")
        deadline = time.monotonic() + 5
        while not receiver.received and time.monotonic() < deadline:
            time.sleep(0.005)
        assert len(other.received) < 4
        control.wait_for_notifications()
        assert len(other.received) == 4
    finally:
        other.close()


def test_stopping_the_server_ends_its_delivery_thread(receiver):
    """Also in the middle of attempts; the same application can serve again."""
    receiver.statuses = [503] * 20
    application = FakeGoogle(SEED, QuotaLimits(None, None))
    for _ in range(2):
        with FakeGoogleServer(application) as server:
            service = service_for(server.url, Credentials(ANNA.token))
            body = {"id": "c1", "type": "web_hook", "address": receiver.url}
            service.calendarList().watch(body=body).execute()
            service.close()
            assert "fake-google-push" in {thread.name for thread in threading.enumerate()}
        assert "fake-google-push" not in {thread.name for thread in threading.enumerate()}
