"""One sync of one account: its list of calendars, then the events of each enabled calendar.

In: an account, the trigger, and a way to wait.
Out: a report; sync state saved with the rows it is about.
Never: a token saved before the rows it stands for, or an exception for what one calendar's sync met.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from django.db import DatabaseError, transaction
from django.utils import timezone

from calendar_sync.google import AccessRevoked, CalendarPage, GoogleCalendarClient, GoogleError, SyncTokenExpired
from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.services import forget_dashboard
from calendar_sync.sync.lease import Lease, LeaseLost, SyncInProgress
from calendar_sync.sync.targets import CalendarListTarget, Changes, EventsTarget, Target, UnexpectedResource
from logging_pkg.instrumentation.sync import SyncRun, sync_run

Trigger = Literal["page", "command", "worker", "push"]


@dataclass
class ResourceReport:
    """What the sync of one resource did. `calendar` is None for the list of calendars.

    `error` is a sentence for people; `skipped` means that another sync was at it.
    """

    calendar: Calendar | None
    kind: str = "full"
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    error: str = ""
    skipped: bool = False

    def add(self, changes: Changes) -> None:
        """Count a page."""
        self.created += changes.created
        self.updated += changes.updated
        self.deleted += changes.deleted
        self.unchanged += changes.unchanged


@dataclass
class AccountReport:
    """What the sync of one account did, resource by resource."""

    account: GoogleAccount
    resources: list[ResourceReport] = field(default_factory=list)

    @property
    def failed(self) -> list[ResourceReport]:
        """The resources whose sync failed."""
        return [report for report in self.resources if report.error]

    @property
    def skipped(self) -> list[ResourceReport]:
        """The resources another sync was at."""
        return [report for report in self.resources if report.skipped]

    @property
    def events(self) -> ResourceReport:
        """Counts over all calendars' events."""
        total = ResourceReport(None)
        for report in self.resources:
            if report.calendar is not None:
                total.add(Changes(report.created, report.updated, report.deleted, report.unchanged))
        return total


def sync_account(
    account: GoogleAccount, trigger: Trigger, *, sleep: Callable[[float], object] = time.sleep
) -> AccountReport:
    """Sync an account's calendar list and the events of its enabled calendars.

    A failure is reported, saved in the row's `last_error`, and does not stop the other calendars, unless the account's
    access was revoked. `sleep` waits out back-offs, in seconds.
    """
    report = AccountReport(account)
    with GoogleCalendarClient(account.google_id, account.access_token, sleep=sleep) as client:
        revoked = _sync_resource(report, account, None, trigger, CalendarListTarget(account), client.list_calendars)
        for calendar in Calendar.objects.filter(account=account, enabled=True) if not revoked else ():
            pages = partial(client.list_events, calendar.google_id)
            if _sync_resource(report, account, calendar, trigger, EventsTarget(calendar), pages):
                break
    return report


def _sync_resource(
    report: AccountReport,
    account: GoogleAccount,
    calendar: Calendar | None,
    trigger: Trigger,
    target: Target,
    pages: Callable[[str], Iterator[CalendarPage]],
) -> bool:
    """Sync one resource into the report; returns whether the account's access turned out to be revoked."""
    row = calendar or account
    result = ResourceReport(calendar)
    report.resources.append(result)
    try:
        lease = Lease(row)
    except SyncInProgress:
        result.skipped = True
        return False
    try:
        with sync_run(
            resource="calendar_list" if calendar is None else "events",
            kind="incremental" if row.sync_token else "full",
            trigger=trigger,
            account=account.google_id,
            calendar=calendar.google_id if calendar else None,
        ) as run:
            _sync_pages(run, result, row.sync_token, lease, target, pages)
    except (GoogleError, LeaseLost, DatabaseError) as error:
        result.error = f"{type(error).__name__}: {error}"[:500]
        _release(lease, last_error=result.error)
        return isinstance(error, AccessRevoked)
    except BaseException:
        # A mistake in the code, or this process being stopped: not ours to swallow, but the next sync need not wait.
        _release(lease)
        raise
    finally:
        # Whatever became of it: pages before a failure are there, and the time and the result of the sync are shown.
        forget_dashboard(account.user_id)
    return False


def _sync_pages(
    run: SyncRun,
    result: ResourceReport,
    sync_token: str,
    lease: Lease,
    target: Target,
    pages: Callable[[str], Iterator[CalendarPage]],
) -> None:
    """Incrementally where there is a token, in full where there is none or Google refuses it (410)."""
    result.kind = "incremental" if sync_token else "full"
    if sync_token:
        try:
            _apply_pages(run, result, lease, target, pages(sync_token), full=False)
            return
        except SyncTokenExpired:
            run.sync_token_expired()
            run.kind = result.kind = "full"
    _apply_pages(run, result, lease, target, pages(""), full=True)


def _apply_pages(
    run: SyncRun, result: ResourceReport, lease: Lease, target: Target, pages: Iterator[CalendarPage], *, full: bool
) -> None:
    """Each page in a transaction of its own; the new token is saved with the last page.

    So a sync that dies midway leaves whole pages and the old token behind, and the next one does the same pages again,
    which changes nothing.
    """
    seen: set[str] = set()
    finished = False
    for page in pages:
        run.page()
        with transaction.atomic():
            changes = target.apply(page.items)
            if full:
                seen.update(item["id"] for item in page.items)
            if page.sync_token is None:
                lease.renew()
            else:
                if full:
                    changes = Changes(
                        changes.created,
                        changes.updated,
                        changes.deleted + target.delete_except(seen),
                        changes.unchanged,
                    )
                lease.release(sync_token=page.sync_token, last_synced_at=timezone.now(), last_error="")
                finished = True
        result.add(changes)
        run.created(changes.created)
        run.updated(changes.updated)
        run.deleted(changes.deleted)
        run.unchanged(changes.unchanged)
    if not finished:
        raise UnexpectedResource("the last page of a listing has no nextSyncToken")


def _release(lease: Lease, **fields: str) -> None:
    """Save `fields` and let go. When the lease is lost, or the database is away, there is nothing left to save."""
    try:
        lease.release(**fields)
    except (LeaseLost, DatabaseError):
        return
