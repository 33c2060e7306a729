"""The push channels: one per enabled calendar and one per account's list, renewed before they end.

In: accounts, and the address Google can reach this site under. Out: channels at Google, and a row for each.
Never: a channel without a secret; two workers opening the same one; a refusal that keeps the others from being opened.

Source: Google Calendar API guide, "Push notifications": a channel cannot be renewed, only replaced; messages of the old
and the new one may overlap. Some calendars cannot be watched, public holidays among them (400
`pushNotSupportedForRequestedResource`).
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable
from contextlib import suppress

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone

from calendar_sync.google import AccountCredentials, GoogleCalendarClient, GoogleError, NotFound, PushNotSupported
from calendar_sync.models import Calendar, GoogleAccount, PushChannel

logger = logging.getLogger(__name__)

#: A channel lives so long at most (Google's limit for calendars is longer), and is replaced this long before its end.
LIFETIME, RENEW_BEFORE = dt.timedelta(days=7), dt.timedelta(days=1)
#: A calendar that cannot be watched is tried again after this.
REFUSED_FOR = dt.timedelta(days=1)


def watch_account(account: GoogleAccount, *, sleep: Callable[[float], object] = time.sleep) -> int:
    """Open the channels of an account that are missing or end soon, close those of calendars that are off.

    Args:
        account: whose.
        sleep: waits out back-offs and turns under the quota, in seconds.

    Returns:
        How many were opened; 0 where GOOGLE_PUSH_URL is empty. A calendar Google tells of no changes to is logged, and
        left alone for a day.

    Raises:
        GoogleError: Google cannot be asked now, or does not accept the account; the channels opened before stay.
    """
    if not settings.GOOGLE_PUSH_URL:
        return 0
    if not any(_look(account)):
        return 0
    with transaction.atomic():
        # One worker at a time looks and claims; on SQLite writing transactions take turns anyway.
        GoogleAccount.objects.select_for_update().only("pk").filter(pk=account.pk).first()
        missing, ending = _look(account)
        PushChannel.objects.bulk_create(missing)
    with GoogleCalendarClient(account.google_id, AccountCredentials(account), sleep=sleep) as client:
        opened = _open(client, missing)
        _close(client, ending)
    return opened


def unwatch_account(account: GoogleAccount) -> int:
    """Close all channels of an account; returns how many."""
    channels = list(PushChannel.objects.filter(account=account))
    with GoogleCalendarClient(account.google_id, AccountCredentials(account)) as client:
        _close(client, channels)
    return len(channels)


def _look(account: GoogleAccount) -> tuple[list[PushChannel], list[PushChannel]]:
    """The channels that are to be opened, and those to be closed then.

    A channel to be opened is saved first, because Google's first message may come before its answer does, and so that
    no other worker opens it too. It is said to end soon: if this process dies before the answer, another one opens it
    after SYNC_LEASE_S.
    """
    claimed_until = timezone.now() + RENEW_BEFORE + dt.timedelta(seconds=settings.SYNC_LEASE_S)
    calendars = [None, *Calendar.objects.filter(account=account, enabled=True)]
    by_id = {None if calendar is None else calendar.pk: calendar for calendar in calendars}
    channels = list(PushChannel.objects.filter(account=account))
    kept = [one for one in channels if one.calendar_id in by_id and not one.expires_within(RENEW_BEFORE)]
    missing = by_id.keys() - {channel.calendar_id for channel in kept}
    # What another worker is replacing stays until it has done so.
    being_opened = {channel.calendar_id for channel in kept if not channel.resource_id}
    return (
        [PushChannel(account=account, calendar=by_id[pk], expires_at=claimed_until) for pk in by_id if pk in missing],
        [channel for channel in channels if channel not in kept and channel.calendar_id not in being_opened],
    )


def _open(client: GoogleCalendarClient, missing: list[PushChannel]) -> int:
    """Open channels; returns how many there are now. Those it did not come to have no row any more."""
    opened, pending = 0, {channel.pk: channel for channel in missing}
    try:
        for channel in missing:
            try:
                _watch(client, channel)
            except PushNotSupported:
                channel.expires_at = timezone.now() + RENEW_BEFORE + REFUSED_FOR
                channel.save(update_fields=["expires_at"])
                logger.warning(
                    "Google tells of no changes to calendar %s of account %d", channel.calendar_id, channel.account_id
                )
            except NotFound:
                continue  # it is gone, as the list of calendars is about to say
            else:
                opened += 1
            del pending[channel.pk]
    finally:
        PushChannel.objects.filter(pk__in=pending).delete()
    return opened


def _watch(client: GoogleCalendarClient, channel: PushChannel) -> None:
    answer = client.watch(
        None if channel.calendar is None else channel.calendar.google_id,
        channel_id=str(channel.channel_id),
        token=channel.token,
        address=settings.GOOGLE_PUSH_URL.rstrip("/") + reverse("google_notification"),
        lifetime=LIFETIME,
    )
    channel.resource_id = answer["resourceId"]
    channel.expires_at = dt.datetime.fromtimestamp(int(answer["expiration"]) / 1000, dt.UTC)
    channel.save(update_fields=["resource_id", "expires_at"])


def _close(client: GoogleCalendarClient, channels: list[PushChannel]) -> None:
    for channel in channels:
        if channel.resource_id:
            # Where that fails it ends by itself, and its messages are answered 404 from now on.
            with suppress(GoogleError):
                client.stop_channel(str(channel.channel_id), channel.resource_id)
        channel.delete()
