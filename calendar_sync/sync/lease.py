"""Who may sync a resource: one holder at a time, across processes, until the lease runs out.

In: a row that carries sync state.
Out: a lease, renewed with each page, with the holder's correlation ID; whoever finds it taken gets SyncInProgress.
Never: locks held in the database while Google is being waited for.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist
from django.db.models import Q
from django.utils import timezone

from calendar_sync.models import Calendar, GoogleAccount
from logging_pkg import current_correlation_id


class SyncInProgress(Exception):
    """Another sync holds this resource, or has just let go of it."""


class LeaseLost(Exception):
    """The lease ran out and another sync took over; what this one still had to write is dropped."""


class Lease:
    """The right to sync one account's list of calendars, or one calendar.

    A holder that dies keeps others out for SYNC_LEASE_S seconds at most. One that was only slow finds out at its next
    page: `renew` is part of the page's transaction, so a late page is never written over a newer sync's.
    """

    def __init__(self, row: GoogleAccount | Calendar, fresh_after: dt.datetime | None = None) -> None:
        """Take it. Raises SyncInProgress, also where the resource was synced after `fresh_after`."""
        self._row = row
        self._fresh_after = fresh_after
        self._id = uuid.uuid4()
        if self._take():
            return
        # Taken by somebody, or a sync that ended since the row was read has saved newer tokens: look again, once.
        try:
            row.refresh_from_db(fields=["sync_token", "page_token", "listing"])
        except ObjectDoesNotExist:
            raise SyncInProgress(f"{row._meta.verbose_name} {row.pk}: another sync has just deleted it") from None
        if not self._take():
            raise SyncInProgress(
                f"{row._meta.verbose_name} {row.pk}: another sync is running; try again when it is done"
            )

    def renew(self, **fields: Any) -> None:
        """Hold on for another SYNC_LEASE_S, and save `fields` of the row; raises LeaseLost."""
        self._update(lease_until=self._until(timezone.now()), **fields)

    def release(self, **fields: Any) -> None:
        """Give the resource back, and save `fields` of the row; raises LeaseLost."""
        self._update(lease_id=None, lease_until=None, **fields)

    def _take(self) -> bool:
        """Take the lease if it is free and the row's tokens are still those that were read, in one statement."""
        now = timezone.now()
        free = Q(lease_until=None) | Q(lease_until__lt=now)
        if self._fresh_after is not None:
            free &= Q(last_synced_at=None) | Q(last_synced_at__lte=self._fresh_after)
        rows = self._rows().filter(free, sync_token=self._row.sync_token, page_token=self._row.page_token)
        taken = rows.update(lease_id=self._id, lease_until=self._until(now), correlation_id=current_correlation_id())
        return bool(taken)

    def _update(self, **fields: Any) -> None:
        if not self._rows().filter(lease_id=self._id).update(**fields):
            raise LeaseLost(
                f"{self._row._meta.verbose_name} {self._row.pk}: its lease ran out; SYNC_LEASE_S may be too short"
            )

    def _rows(self) -> Any:
        return type(self._row)._default_manager.filter(pk=self._row.pk)

    def _until(self, now: dt.datetime) -> dt.datetime:
        return now + dt.timedelta(seconds=settings.SYNC_LEASE_S)
