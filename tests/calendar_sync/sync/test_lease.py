"""Leases: one sync of a resource at a time."""

from __future__ import annotations

import datetime as dt

import pytest
from django.utils import timezone

from calendar_sync.models import Calendar
from calendar_sync.sync.lease import Lease, LeaseLost, SyncInProgress

pytestmark = pytest.mark.django_db


@pytest.fixture
def calendar(account) -> Calendar:
    return Calendar.objects.create(account=account, google_id="c", etag="1", summary="Team")


def test_a_resource_has_one_holder(calendar):
    """The second is told to wait, until the first lets go."""
    first = Lease(calendar)
    with pytest.raises(SyncInProgress, match=f"calendar {calendar.pk}"):
        Lease(Calendar.objects.get())
    first.release()
    Lease(Calendar.objects.get()).release()


def test_a_dead_holder_is_replaced_when_its_lease_runs_out(calendar):
    """And if it was only slow, it learns so at its next page and writes nothing."""
    slow = Lease(calendar)
    Calendar.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    new = Lease(Calendar.objects.get())

    with pytest.raises(LeaseLost):
        slow.renew()
    with pytest.raises(LeaseLost):
        slow.release(sync_token="stale")
    new.release(sync_token="new")
    assert Calendar.objects.get().sync_token == "new"


def test_renewing_keeps_others_out(calendar):
    """A lease that is about to run out is not, after it was renewed."""
    lease = Lease(calendar)
    Calendar.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    lease.renew()

    with pytest.raises(SyncInProgress):
        Lease(Calendar.objects.get())


def test_a_row_read_before_another_sync_ended_learns_the_newer_token(calendar):
    """Taking the lease never starts from a token that has been replaced since."""
    stale = Calendar.objects.get()
    Lease(calendar).release(sync_token="newer")

    Lease(stale)

    assert stale.sync_token == "newer"


def test_a_row_read_before_another_sync_was_broken_off_learns_its_page(calendar):
    """Or pages that are done would be fetched again, and the listing's number used twice."""
    stale = Calendar.objects.get()
    other = Lease(calendar)
    other.renew(page_token="second", listing=7)
    other.release()

    Lease(stale)

    assert (stale.page_token, stale.listing) == ("second", 7)
