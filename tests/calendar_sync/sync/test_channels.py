"""Push channels: opened, replaced, closed; refused ones; two workers at once."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pytest
from django.utils import timezone

from calendar_sync.fake_google.messages import ApiError
from calendar_sync.google import AccessRevoked, ApiRejected, ApiUnavailable, GoogleCalendarClient, QuotaExceeded
from calendar_sync.models import Calendar, GoogleAccount, PushChannel
from calendar_sync.services import CalendarService
from calendar_sync.sync import channels, sync_account
from calendar_sync.sync.channels import unwatch_account, watch_account
from logging_pkg.testing import assert_event

WEEK = dt.timedelta(days=7)


@pytest.fixture
def watched(account, google, settings, control) -> GoogleAccount:
    """The first account, synced and not watched yet, and an address for Google (where nobody listens)."""
    sync_account(account, "command")
    settings.GOOGLE_PUSH_URL = "http://127.0.0.1:9/"
    control.clear_ledger()
    return GoogleAccount.objects.get()


def open_at_server(control) -> list[dict]:
    """The channels the server has not ended."""
    return [channel for channel in control.channels() if channel["active"]]


def asked(control) -> Counter[str]:
    """What the server was asked, by operation."""
    return Counter(entry["operation"] for entry in control.ledger())


def refused(google, reason: str, of: str) -> None:
    """Have the server refuse to watch the events of one calendar, with 400."""
    original = google.application.handle

    def handle(request):
        if request.path.endswith(f"/calendars/{of.replace('#', '%23').replace('@', '%40')}/events/watch"):
            return ApiError(400, reason, "Not to be watched.").response()
        return original(request)

    google.application.handle = handle


def test_a_list_and_each_enabled_calendar_get_a_channel(watched, control, calendar_ids):
    """With a secret each, at the address of the notifications' view, for a week; the rows know what ends them."""
    Calendar.objects.filter(google_id=calendar_ids[0]).update(enabled=False)

    assert watch_account(watched) == 5

    rows = {str(row.channel_id): row for row in PushChannel.objects.all()}
    there = open_at_server(control)
    assert {channel["id"] for channel in there} == set(rows)
    assert {channel["address"] for channel in there} == {"http://127.0.0.1:9/google/notifications"}
    assert {row.calendar.google_id if row.calendar else None for row in rows.values()} == {None, *calendar_ids[1:]}
    assert len({row.token for row in rows.values()}) == 5
    assert min(len(row.token) for row in rows.values()) >= 32
    for channel in there:
        row = rows[channel["id"]]
        assert row.resource_id
        assert row.expires_at.timestamp() * 1000 == pytest.approx(channel["expiration"], abs=1)
        assert abs(row.expires_at - timezone.now() - WEEK) < dt.timedelta(minutes=1)


def test_watched_again_nothing_is_asked(watched, control, django_assert_max_num_queries):
    """Google is not, and the database twice, however many calendars there are."""
    watch_account(watched)
    control.clear_ledger()

    with django_assert_max_num_queries(2):
        assert watch_account(watched) == 0
    assert control.ledger() == []


def test_without_an_address_nothing_is_watched(watched, control, settings, django_assert_num_queries):
    """GOOGLE_PUSH_URL switches push on."""
    settings.GOOGLE_PUSH_URL = ""

    with django_assert_num_queries(0):
        assert watch_account(watched) == 0
    assert control.ledger() == []


def test_a_channel_that_ends_soon_is_replaced_before(watched, control, calendar_ids):
    """The new one is open before the old one is closed, so that no change is missed."""
    watch_account(watched)
    ending = PushChannel.objects.get(calendar__google_id=calendar_ids[0])
    PushChannel.objects.filter(pk=ending.pk).update(expires_at=timezone.now() + dt.timedelta(hours=23))
    control.clear_ledger()

    assert watch_account(watched) == 1

    assert [entry["operation"] for entry in control.ledger()] == ["events.watch", "channels.stop"]
    (new,) = PushChannel.objects.filter(calendar__google_id=calendar_ids[0])
    assert new.channel_id != ending.channel_id
    there = {channel["id"] for channel in open_at_server(control)}
    assert str(new.channel_id) in there
    assert str(ending.channel_id) not in there
    assert len(there) == PushChannel.objects.count() == 6


def test_the_channel_of_a_calendar_that_was_switched_off_is_closed(watched, control, calendar_ids):
    """And opened anew when it is switched on."""
    watch_account(watched)
    calendar = Calendar.objects.get(google_id=calendar_ids[0])
    Calendar.objects.filter(pk=calendar.pk).update(enabled=False)
    control.clear_ledger()

    assert watch_account(watched) == 0
    assert asked(control) == {"channels.stop": 1}
    assert len(open_at_server(control)) == PushChannel.objects.count() == 5

    CalendarService.bulk_toggle_calendars(watched, enabled=True)
    assert watch_account(watched) == 1
    assert len(open_at_server(control)) == 6


def test_a_channel_google_does_not_know_any_more_is_forgotten(watched, control):
    """404 to its end is no failure: the row goes, and a new one is opened where it ends soon."""
    watch_account(watched)
    control.reset()
    PushChannel.objects.update(expires_at=timezone.now())

    assert watch_account(GoogleAccount.objects.get()) == 6
    assert PushChannel.objects.count() == 6


def test_unwatched_all_channels_are_closed(watched, control):
    """At Google and here."""
    watch_account(watched)

    assert unwatch_account(watched) == 6
    assert open_at_server(control) == []
    assert not PushChannel.objects.exists()


def test_a_calendar_that_cannot_be_watched_keeps_no_other_from_it(watched, google, control, calendar_ids, log_events):
    """Public holidays at Google: told once, left alone for a day, then tried again; all others are watched."""
    refused(google, "pushNotSupportedForRequestedResource", calendar_ids[1])

    assert watch_account(watched) == 5
    assert watch_account(watched) == 0

    assert asked(control) == {"calendarList.watch": 1, "events.watch": 4}
    assert_event(log_events, "log.message_recorded", level="warning", count=1)
    assert len(open_at_server(control)) == 5
    PushChannel.objects.filter(resource_id="").update(expires_at=timezone.now() + dt.timedelta(hours=23))
    assert watch_account(watched) == 0
    assert PushChannel.objects.filter(resource_id="").count() == 1
    assert len(log_events.named("log.message_recorded")) == 2


def test_a_calendar_that_is_gone_keeps_no_other_from_it(watched, control, calendar_ids):
    """404: the list of calendars will say so; nothing is left of the attempt."""
    control.delete_calendar(calendar_ids[0])

    assert watch_account(watched) == 5
    assert PushChannel.objects.count() == 5


@pytest.mark.parametrize(
    ("kind", "error"),
    [("quotaExceeded", QuotaExceeded), ("serverError", ApiUnavailable), ("authError", AccessRevoked)],
)
def test_a_failure_leaves_the_channels_before_and_no_row_of_the_others(watched, control, kind, error):
    """The next pass goes on; until then nothing is said to be watched that is not."""
    PushChannel.objects.create(account=watched, resource_id="old", expires_at=timezone.now())
    control.fail(kind, count=9, operation="events.watch")

    with pytest.raises(error, match=r"events.watch"):
        watch_account(watched, sleep=lambda _: None)

    assert len(open_at_server(control)) == 1
    assert PushChannel.objects.filter(calendar=None).exclude(resource_id="old").count() == 1
    assert not PushChannel.objects.filter(calendar__isnull=False).exists()
    control.clear_faults()
    assert watch_account(watched) == 5
    assert PushChannel.objects.count() == 6


def test_a_refused_address_is_an_error(watched, control, settings):
    """Google takes https only: the error says so, and no row is left."""
    settings.GOOGLE_PUSH_URL = "http://calendars.example.org"

    with pytest.raises(ApiRejected, match=r"calendarList.watch: 400 push.webhookUrlNotHttps"):
        watch_account(watched)
    assert not PushChannel.objects.exists()


def test_a_wait_that_is_broken_off_leaves_no_row(watched, control):
    """A worker that is told to stop while it waits to try again."""

    class StoppedError(Exception):
        pass

    def stop(_: float) -> None:
        raise StoppedError

    control.fail("serverError", operation="calendarList.watch")
    with pytest.raises(StoppedError):
        watch_account(watched, sleep=stop)
    assert not PushChannel.objects.exists()


def test_two_workers_open_each_channel_once(watched, control, monkeypatch):
    """While one is opening them, the other finds them claimed, and closes nothing."""
    ending = PushChannel.objects.create(account=watched, resource_id="old", expires_at=timezone.now())
    others: list[int] = []
    original = GoogleCalendarClient.watch

    def meanwhile_another(self, *arguments, **keywords):
        if not others:
            others.append(watch_account(GoogleAccount.objects.get()))
            assert PushChannel.objects.filter(pk=ending.pk).exists()
        return original(self, *arguments, **keywords)

    monkeypatch.setattr(GoogleCalendarClient, "watch", meanwhile_another)
    assert watch_account(watched) == 6

    assert others == [0]
    assert asked(control)["events.watch"] == 5
    assert len(open_at_server(control)) == PushChannel.objects.count() == 6


def test_a_worker_that_died_while_it_opened_a_channel_is_replaced(watched, control, settings, monkeypatch):
    """Its claim counts for SYNC_LEASE_S; then another opens the channel."""

    class KilledError(BaseException):
        pass

    def killed(*_: object) -> int:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(channels, "_open", killed)
        with pytest.raises(KilledError):
            watch_account(watched)
    assert watch_account(watched) == 0
    assert PushChannel.objects.count() == 6

    later = timezone.now() + dt.timedelta(seconds=settings.SYNC_LEASE_S + 1)
    monkeypatch.setattr(timezone, "now", lambda: later)
    assert watch_account(watched) == 6
    assert PushChannel.objects.exclude(resource_id="").count() == PushChannel.objects.count() == 6
    assert asked(control) == {"calendarList.watch": 1, "events.watch": 5}
