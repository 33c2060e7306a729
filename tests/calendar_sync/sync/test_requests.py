"""Syncs that are asked for: by channel and token, taken once, and asked for again."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from calendar_sync.encryption import UnreadableSecret, new_key
from calendar_sync.models import Calendar, GoogleAccount, PushChannel
from calendar_sync.sync import late_calendars, request_sync, take_requests
from calendar_sync.sync.requests import request_sync_of_channel
from logging_pkg import current_traceparent, new_correlation

pytestmark = pytest.mark.django_db


@pytest.fixture
def calendar(account) -> Calendar:
    return Calendar.objects.create(account=account, google_id="c", etag="1", summary="Team")


@pytest.fixture
def channel(calendar) -> PushChannel:
    return PushChannel.objects.create(account=calendar.account, calendar=calendar, expires_at=timezone.now())


def requested() -> list[object]:
    """The rows a sync of which is asked for."""
    return [*GoogleAccount.objects.exclude(requested_at=None), *Calendar.objects.exclude(requested_at=None)]


def test_a_channels_calendar_is_asked_for_under_the_running_correlation(calendar, channel):
    """With when, and what the sync will belong to."""
    before = timezone.now()
    with new_correlation():
        expected = current_traceparent()
        assert request_sync_of_channel(str(channel.channel_id), channel.token, is_change=True)

    calendar.refresh_from_db()
    assert calendar.requested_by == expected
    assert before <= calendar.requested_at <= timezone.now()
    assert requested() == [calendar]


def test_a_channel_without_a_calendar_is_that_of_the_list(account):
    """The account's own row is asked for."""
    channel = PushChannel.objects.create(account=account, expires_at=timezone.now())

    assert request_sync_of_channel(str(channel.channel_id), channel.token, is_change=True)
    assert requested() == [account]


@pytest.mark.parametrize("token", ["", "wrong", "ü", "x" * 10_000])
def test_a_wrong_token_asks_for_nothing(channel, token):
    """As if the channel did not exist."""
    assert not request_sync_of_channel(str(channel.channel_id), token, is_change=True)
    assert requested() == []


@pytest.mark.parametrize("channel_id", ["", "not a uuid", "\x00", "1" * 10_000, "0dfbef43-b163-47bd-aa20-25582e4e4b45"])
def test_an_unknown_channel_asks_for_nothing(channel, channel_id):
    """A UUID of ours is known, and nothing else; the token of another channel does not help."""
    assert not request_sync_of_channel(channel_id, channel.token, is_change=True)
    assert requested() == []


def test_another_channels_token_does_not_do(account, channel):
    """Each has a secret of its own."""
    other = PushChannel.objects.create(account=account, expires_at=timezone.now())

    assert not request_sync_of_channel(str(channel.channel_id), other.token, is_change=True)
    assert requested() == []


def test_a_message_without_a_change_asks_for_nothing(channel):
    """It is ours all the same."""
    assert request_sync_of_channel(str(channel.channel_id), channel.token, is_change=False)
    assert requested() == []


def test_of_several_messages_the_first_is_the_cause(calendar, channel):
    """One sync answers them all."""
    causes = []
    for _ in range(3):
        with new_correlation():
            causes.append(current_traceparent())
            request_sync_of_channel(str(channel.channel_id), channel.token, is_change=True)

    assert len({*causes}) == 3
    assert list(take_requests()) == [(calendar, causes[0])]


def test_a_request_is_taken_once(account, calendar):
    """By one worker; it is off the row before its sync begins."""
    request_sync(GoogleAccount, account.pk, "list")
    request_sync(Calendar, calendar.pk, "calendar")
    first, second = take_requests(), take_requests()

    assert next(first) == (account, "list")
    assert requested() == [calendar]
    assert next(second) == (calendar, "calendar")
    assert list(first) == list(second) == []
    assert requested() == []
    assert Calendar.objects.get().requested_by == GoogleAccount.objects.get().requested_by == ""


def test_a_message_during_the_sync_asks_again(calendar):
    """What arrives after the request was taken is not lost."""
    request_sync(Calendar, calendar.pk, "first")
    for _, traceparent in take_requests():
        assert traceparent == "first"
        request_sync(Calendar, calendar.pk, "second")

    assert list(take_requests()) == [(calendar, "second")]


def test_a_request_that_was_made_anew_is_left_to_the_next_round(calendar, account):
    """Two workers read the same request; one takes it, and a new one is made: the other does not take that for the old."""
    request_sync(GoogleAccount, account.pk, "list")
    request_sync(Calendar, calendar.pk, "old")
    slow = take_requests()
    next(slow)
    Calendar.objects.update(requested_at=None, requested_by="")
    request_sync(Calendar, calendar.pk, "new")

    assert list(slow) == []
    assert list(take_requests()) == [(calendar, "new")]


def test_a_calendar_that_is_off_is_asked_for_when_it_is_on(calendar):
    """Until then nobody takes the request."""
    Calendar.objects.update(enabled=False)
    request_sync(Calendar, calendar.pk, "t")

    assert list(take_requests()) == []
    Calendar.objects.update(enabled=True)
    assert list(take_requests()) == [(calendar, "t")]


def test_a_request_can_be_made_and_taken_without_the_accounts_tokens(account, channel, settings):
    """One account whose key is missing is no trouble to the others; its own sync says so."""
    settings.TOKEN_ENCRYPTION_KEYS = [new_key()]
    assert request_sync_of_channel(str(channel.channel_id), channel.token, is_change=True)
    request_sync(GoogleAccount, account.pk, "")

    rows = [row for row, _ in take_requests()]

    assert [row.pk for row in rows] == [account.pk, channel.calendar_id]
    with pytest.raises(UnreadableSecret):
        _ = rows[0].access_token


class TestLateCalendars:
    """Which calendars were not synced for too long."""

    @pytest.fixture
    def now(self, monkeypatch: pytest.MonkeyPatch) -> dt.datetime:
        """The time, which stands still."""
        now = timezone.now()
        monkeypatch.setattr(timezone, "now", lambda: now)
        return now

    @pytest.mark.parametrize(("age_s", "is_late"), [(89, False), (90, False), (91, True)])
    def test_a_calendar_is_late_after_the_threshold(self, calendar, now, age_s, is_late):
        """By its last success."""
        Calendar.objects.update(last_synced_at=now - dt.timedelta(seconds=age_s))

        assert late_calendars(dt.timedelta(seconds=90)).exists() is is_late

    @pytest.mark.parametrize(("age_s", "is_late"), [(89, False), (91, True)])
    def test_one_that_never_was_synced_is_late_by_its_accounts_age(self, calendar, now, age_s, is_late):
        """An account that was just connected has its time."""
        GoogleAccount.objects.update(created_at=now - dt.timedelta(seconds=age_s))

        assert late_calendars(dt.timedelta(seconds=90)).exists() is is_late

    def test_one_that_is_off_is_never_late(self, calendar, now):
        """Nobody syncs it."""
        Calendar.objects.update(enabled=False, last_synced_at=now - dt.timedelta(days=9))

        assert not late_calendars(dt.timedelta(seconds=90)).exists()
