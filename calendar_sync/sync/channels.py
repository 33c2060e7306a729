"""The push channels: one per enabled calendar and one per account's list, renewed before they end.

In: accounts, and the address Google can reach this site under. Out: channels at Google, and a row for each.
Never: a channel without a secret; a row whose channel was not opened.

Source: Google Calendar API guide, "Push notifications": a channel cannot be renewed, only replaced; messages of the old
and the new one may overlap.
"""

from __future__ import annotations

import datetime as dt

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from calendar_sync.google import AccountCredentials, GoogleCalendarClient, GoogleError
from calendar_sync.models import Calendar, GoogleAccount, PushChannel

#: A channel lives so long at most (Google's limit for calendars is longer), and is replaced this long before its end.
LIFETIME, RENEW_BEFORE = dt.timedelta(days=7), dt.timedelta(days=1)


def watch_account(account: GoogleAccount) -> int:
    """Open the channels of an account that are missing or end soon, close those of calendars that are off.

    Returns:
        How many were opened; 0 where GOOGLE_PUSH_URL is empty.

    Raises:
        GoogleError: Google refused; the channels opened before stay.
    """
    if not settings.GOOGLE_PUSH_URL:
        return 0
    opened = 0
    wanted: list[Calendar | None] = [None, *Calendar.objects.filter(account=account, enabled=True)]
    with GoogleCalendarClient(account.google_id, AccountCredentials(account)) as client:
        for calendar in wanted:
            channels = list(PushChannel.objects.filter(account=account, calendar=calendar))
            if any(not channel.expires_within(RENEW_BEFORE) for channel in channels):
                continue
            _open(client, account, calendar)
            opened += 1
            _close(client, channels)
        off = PushChannel.objects.filter(account=account, calendar__enabled=False)
        _close(client, list(off))
    return opened


def unwatch_account(account: GoogleAccount) -> int:
    """Close all channels of an account; returns how many."""
    channels = list(PushChannel.objects.filter(account=account))
    with GoogleCalendarClient(account.google_id, AccountCredentials(account)) as client:
        _close(client, channels)
    return len(channels)


def _open(client: GoogleCalendarClient, account: GoogleAccount, calendar: Calendar | None) -> None:
    channel = PushChannel(account=account, calendar=calendar, expires_at=timezone.now() + LIFETIME)
    # Saved first: Google's first message may come before its answer does.
    channel.save()
    try:
        answer = client.watch(
            None if calendar is None else calendar.google_id,
            channel_id=str(channel.channel_id),
            token=channel.token,
            address=settings.GOOGLE_PUSH_URL.rstrip("/") + reverse("google_notification"),
            lifetime=LIFETIME,
        )
    except GoogleError:
        channel.delete()
        raise
    channel.resource_id = answer["resourceId"]
    channel.expires_at = dt.datetime.fromtimestamp(int(answer["expiration"]) / 1000, dt.UTC)
    channel.save(update_fields=["resource_id", "expires_at"])


def _close(client: GoogleCalendarClient, channels: list[PushChannel]) -> None:
    for channel in channels:
        try:
            client.stop_channel(str(channel.channel_id), channel.resource_id)
        except GoogleError:
            pass  # it ends by itself, and its messages are answered 404 from now on
        channel.delete()
