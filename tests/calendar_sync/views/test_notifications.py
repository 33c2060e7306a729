"""Google's notifications, as the view takes them."""

from __future__ import annotations

import uuid

import pytest
from django.test import Client
from django.utils import timezone

from calendar_sync.models import Calendar, PushChannel
from logging_pkg.context import parse_traceparent
from logging_pkg.testing import assert_event

pytestmark = pytest.mark.django_db
PATH = "/google/notifications"


@pytest.fixture
def calendar(account) -> Calendar:
    return Calendar.objects.create(account=account, google_id="c", etag="1", summary="Team")


@pytest.fixture
def channel(calendar) -> PushChannel:
    return PushChannel.objects.create(account=calendar.account, calendar=calendar, expires_at=timezone.now())


def headers(channel: PushChannel, **changes: str) -> dict[str, str]:
    """What Google sends."""
    sent = {
        "X-Goog-Channel-ID": str(channel.channel_id),
        "X-Goog-Channel-Token": channel.token,
        "X-Goog-Message-Number": "2",
        "X-Goog-Resource-State": "exists",
    }
    return {name: value for name, value in {**sent, **changes}.items() if value != "-"}


@pytest.mark.parametrize("state", ["exists", "not_exists"])
def test_a_change_is_taken_and_asked_for_under_the_requests_correlation(channel, calendar, client, log_events, state):
    """204 without a body; the row names the request's span, for the sync to be below it."""
    answer = client.post(PATH, headers=headers(channel, **{"X-Goog-Resource-State": state}))

    assert (answer.status_code, answer.content) == (204, b"")
    request = assert_event(log_events, "http.request_finished", status_code=204, route="/google/notifications")
    calendar.refresh_from_db()
    assert parse_traceparent(calendar.requested_by) == (request["correlation_id"], request["span_id"])


def test_the_first_message_of_a_channel_asks_for_nothing(channel, calendar, client):
    """It says that the channel is open."""
    answer = client.post(PATH, headers=headers(channel, **{"X-Goog-Resource-State": "sync"}))

    assert answer.status_code == 204
    calendar.refresh_from_db()
    assert calendar.requested_at is None


@pytest.mark.parametrize(
    "changes",
    [
        {"X-Goog-Channel-Token": "wrong"},
        {"X-Goog-Channel-Token": "-"},
        {"X-Goog-Channel-Token": "\xff"},
        {"X-Goog-Channel-ID": "-"},
        {"X-Goog-Channel-ID": "no-uuid"},
        {"X-Goog-Channel-ID": str(uuid.UUID(int=0))},
    ],
)
def test_what_is_not_ours_is_not_found(channel, calendar, client, log_events, changes):
    """404, whatever of it is wrong, also for the first message; nothing is asked for, and no secret is told."""
    for state in ("exists", "sync"):
        answer = client.post(PATH, headers=headers(channel, **{"X-Goog-Resource-State": state, **changes}))
        assert answer.status_code == 404

    calendar.refresh_from_db()
    assert calendar.requested_at is None
    assert channel.token not in str(log_events)


def test_a_notification_needs_neither_cookie_nor_csrf_token(channel):
    """Google has none; the channel's token is the proof."""
    strict = Client(enforce_csrf_checks=True)

    assert strict.post(PATH, headers=headers(channel)).status_code == 204


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_only_a_post_is_a_notification(channel, calendar, client, method):
    """405 for anything else."""
    assert getattr(client, method)(PATH, headers=headers(channel)).status_code == 405
    calendar.refresh_from_db()
    assert calendar.requested_at is None


def test_a_body_is_not_read(channel, client):
    """Whatever it is."""
    answer = client.post(PATH, data=b"\xff{", content_type="application/json", headers=headers(channel))

    assert answer.status_code == 204


def test_no_cache_keeps_the_answer(channel, client):
    """Nor does a browser."""
    assert "no-store" in client.post(PATH, headers=headers(channel))["Cache-Control"]


def test_a_notification_takes_two_queries(channel, client, django_assert_num_queries):
    """The channel, and the mark; Google sends many, and anybody can."""
    with django_assert_num_queries(2):
        client.post(PATH, headers=headers(channel))
    with django_assert_num_queries(0):
        client.post(PATH, headers=headers(channel, **{"X-Goog-Channel-ID": "no-uuid"}))
