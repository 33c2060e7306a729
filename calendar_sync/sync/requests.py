"""Syncs that somebody asked for and the worker is to do soon: push notifications.

In: a channel and its token. Out: rows marked as asked for, taken up again with the correlation they were asked under.
Never: a sync; two rows for one request.
"""

from __future__ import annotations

import datetime as dt
import hmac
import uuid
from collections.abc import Iterator

from django.db.models import Q, QuerySet
from django.utils import timezone

from calendar_sync.models import Calendar, GoogleAccount, PushChannel
from logging_pkg import current_traceparent


def request_sync_of_channel(channel_id: str, token: str, *, is_change: bool) -> bool:
    """Ask for a sync of what a channel watches.

    Args:
        channel_id: the UUID we opened the channel under.
        token: the secret we gave Google with it.
        is_change: False for a message that tells of no change.

    Returns:
        Whether the channel is ours and the token its own.
    """
    try:
        wanted = uuid.UUID(channel_id)
    except ValueError:
        return False
    channel = PushChannel.objects.filter(channel_id=wanted).first()
    if channel is None or not hmac.compare_digest(channel.token.encode(), token.encode()):
        return False
    if is_change:
        if channel.calendar_id is None:
            request_sync(GoogleAccount, channel.account_id, current_traceparent())
        else:
            request_sync(Calendar, channel.calendar_id, current_traceparent())
    return True


def request_sync(model: type[GoogleAccount | Calendar], pk: int, traceparent: str) -> None:
    """Ask for a sync of a calendar, or of an account's list of calendars; `traceparent` is what it belongs to."""
    # Of several messages before the worker comes round the first is the cause; one sync answers them all.
    rows = model._default_manager.filter(pk=pk, requested_at=None)
    rows.update(requested_at=timezone.now(), requested_by=traceparent)


def take_requests() -> Iterator[tuple[GoogleAccount | Calendar, str]]:
    """The rows whose sync was asked for, each with the traceparent it was asked under.

    A row taken is asked for no more, so that a message that arrives during its sync asks again. Whoever cannot sync it
    because another sync is at it asks again, too (`request_sync`): that one may have read before the change.
    """
    # Tokens are read when they are needed: one account's that cannot be decrypted are no other's trouble.
    accounts: QuerySet[GoogleAccount] = GoogleAccount.objects.defer("access_token", "refresh_token")
    calendars = Calendar.objects.filter(enabled=True)
    for row in [*accounts.filter(requested_at__isnull=False), *calendars.filter(requested_at__isnull=False)]:
        rows = type(row)._default_manager.filter(pk=row.pk, requested_at=row.requested_at)
        if rows.update(requested_at=None, requested_by=""):
            yield row, row.requested_by


def late_calendars(threshold: dt.timedelta) -> QuerySet[Calendar]:
    """Enabled calendars that were not synced for so long, or never although their account is that old."""
    before = timezone.now() - threshold
    never = Q(last_synced_at=None, account__created_at__lt=before)
    return Calendar.objects.filter(Q(last_synced_at__lt=before) | never, enabled=True)
