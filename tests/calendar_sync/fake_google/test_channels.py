"""Notification channels of the fake server: opened, stopped, expired, refused, with the real client."""

from __future__ import annotations

import datetime as dt
import email.utils
import time

import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.errors import HttpError

from calendar_sync.fake_google import ControlClient, FakeGoogle, FakeGoogleServer, QuotaLimits, demo_accounts
from tests.calendar_sync.conftest import SEED
from tests.calendar_sync.fake_google.conftest import Hands, reason_of, service_for

ANNA = demo_accounts(1)[0]


def test_a_channel_is_answered_and_greeted(watch, receiver, control, fake, calendar_ids):
    """The answer names resource and expiration; an empty POST with Google's headers says sync."""
    channel = watch(token="t0ken")
    (state,) = control.wait_for_notifications()

    assert channel["kind"] == "api#channel"
    assert (channel["id"], channel["token"]) == ("c1", "t0ken")
    assert channel["resourceUri"].startswith(f"{fake.url}calendar/v3/calendars/anna.de%23holiday")
    week_s = int(channel["expiration"]) / 1000 - time.time()
    assert 604_700 < week_s <= 604_800
    (greeting,) = receiver.received
    assert (greeting["path"], greeting["body"], greeting["Content-Length"]) == ("/hook?x=1", b"", "0")
    assert {name: value for name, value in greeting.items() if name.startswith("X-Goog")} == {
        "X-Goog-Channel-ID": "c1",
        "X-Goog-Channel-Token": "t0ken",
        "X-Goog-Channel-Expiration": email.utils.formatdate(int(channel["expiration"]) / 1000, usegmt=True),
        "X-Goog-Message-Number": "1",
        "X-Goog-Resource-ID": channel["resourceId"],
        "X-Goog-Resource-State": "sync",
        "X-Goog-Resource-URI": channel["resourceUri"],
    }
    assert {key: state[key] for key in ("id", "account", "active", "sent", "delivered", "failed", "last_status")} == {
        "id": "c1", "account": ANNA.id, "active": True, "sent": 1, "delivered": 1, "failed": 0, "last_status": 200,
    }  # fmt: skip


def test_a_channel_id_is_unique_while_it_is_open(watch, service, control):
    """The second of the same ID is 400; after a stop the ID is free again."""
    channel = watch()

    with pytest.raises(HttpError) as failure:
        watch(calendar=1)
    assert reason_of(failure.value) == (400, "channelIdNotUnique")
    service.channels().stop(body={"id": "c1", "resourceId": channel["resourceId"]}).execute()
    assert watch()["resourceId"] == channel["resourceId"]


def test_a_stopped_channel_is_told_nothing_more(watch, service, make_service, control, receiver, calendar_ids):
    """Stop is 204 for its owner with the right resource; anybody else and a second time are 404."""
    channel = watch()
    control.wait_for_notifications()
    right = {"id": "c1", "resourceId": channel["resourceId"]}

    for client, body in ((make_service(1), right), (service, {**right, "resourceId": "other"})):
        with pytest.raises(HttpError) as failure:
            client.channels().stop(body=body).execute()
        assert reason_of(failure.value) == (404, "notFound")
    assert service.channels().stop(body=right).execute() == ""
    control.mutate(calendar_ids[0], add=1)
    with pytest.raises(HttpError) as failure:
        service.channels().stop(body=right).execute()

    assert reason_of(failure.value) == (404, "notFound")
    (state,) = control.wait_for_notifications()
    assert (state["active"], state["sent"]) == (False, 1)
    assert receiver.told() == [("c1", "1", "sync")]
    assert [entry["status"] for entry in control.ledger() if entry["operation"] == "channels.stop"] == [
        404,
        404,
        204,
        404,
    ]


def test_an_expired_channel_is_told_nothing_more(receiver):
    """By ttl in seconds or by a time in milliseconds; its ID is free then."""
    hands = Hands(dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    with FakeGoogleServer(FakeGoogle(SEED, QuotaLimits(None, None), hands.clock())) as server:
        control = ControlClient(server.url)
        calendar = control.state()["accounts"][0]["calendars"][0]["id"]
        service = service_for(server.url, Credentials(ANNA.token))
        watch = service.events().watch
        body = {"type": "web_hook", "address": receiver.url}
        first = watch(calendarId=calendar, body={**body, "id": "ttl", "params": {"ttl": "100"}}).execute()
        second = watch(
            calendarId=calendar, body={**body, "id": "exp", "expiration": int(hands.at + 200) * 1000}
        ).execute()
        assert [int(channel["expiration"]) / 1000 - hands.at for channel in (first, second)] == [100, 200]

        hands.at += 100
        control.mutate(calendar, add=1)
        states = control.wait_for_notifications()

        assert [(state["id"], state["active"], state["sent"]) for state in states] == [
            ("ttl", False, 1),
            ("exp", True, 2),
        ]
        assert watch(calendarId=calendar, body={**body, "id": "ttl"}).execute()["id"] == "ttl"
        service.close()


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"id": ""}, (400, "required")),
        ({"id": None}, (400, "required")),
        ({"id": "x" * 65}, (400, "invalid")),
        ({"id": "a\r\nb"}, (400, "invalid")),
        ({"token": "ü"}, (400, "invalid")),
        ({"token": "x" * 257}, (400, "invalid")),
        ({"type": ["web_hook"]}, (400, "push.channelTypeNotSupported")),
        ({"type": "pigeon"}, (400, "push.channelTypeNotSupported")),
        ({"address": "http://example.com/hook"}, (400, "push.webhookUrlNotHttps")),
        ({"address": "https://127.0.0.1/hook"}, (400, "invalid")),
        ({"address": "http://127.0.0.1:port/"}, (400, "invalid")),
        ({"address": ""}, (400, "required")),
        ({"expiration": 1}, (400, "invalid")),
        ({"expiration": "soon"}, (400, "invalid")),
        ({"params": {"ttl": "-1"}}, (400, "invalid")),
    ],
)
def test_a_channel_that_cannot_be_is_400(watch, control, fields, expected):
    """Missing and unusable fields are named; no channel comes of them."""
    with pytest.raises(HttpError) as failure:
        watch(**fields)

    assert reason_of(failure.value) == expected
    assert control.channels() == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "[::1]"])
def test_any_name_of_this_machine_will_do(watch, host):
    """http:// on loopback is what the server delivers to."""
    assert watch(address=f"http://{host}:9/hook")["id"] == "c1"


def test_a_reset_ends_every_channel(watch, control, receiver, calendar_ids):
    """No channel is left, and new ones are told again."""
    watch()
    control.wait_for_notifications()
    control.reset()
    control.mutate(calendar_ids[0], add=1)

    assert control.channels() == []
    watch()
    control.wait_for_notifications()
    assert receiver.told() == [("c1", "1", "sync")] * 2
