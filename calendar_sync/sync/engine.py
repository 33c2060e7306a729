"""One sync of one account: its list of calendars, then the events of each enabled calendar.

In: an account, the trigger, and a way to wait.
Out: a report; sync state saved with the rows it is about.
Never: a token saved before the rows it stands for, or an exception for what one calendar's sync met.
"""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from django.db import DatabaseError
from django.db.models import F
from django.utils import timezone

from calendar_sync.google import AccessRevoked, AccountCredentials, GoogleCalendarClient, GoogleError
from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.services import forget_dashboard
from calendar_sync.sync.lease import Lease, LeaseLost, SyncInProgress
from calendar_sync.sync.listing import Listing, Pages
from calendar_sync.sync.targets import CalendarListTarget, Changes, EventsTarget, Target
from logging_pkg.instrumentation.sync import ConnectionStatus, connection_checked, sync_run

#: An access token that cannot be refreshed is told of so long before it ends.
TOKEN_EXPIRES_SOON_S = 86_400.0

Trigger = Literal["page", "command", "worker", "push"]


@dataclass
class ResourceReport:
    """What the sync of one resource did. `calendar` is None for the list of calendars.

    `error` is a sentence for people, `failure` the exception; `skipped` means that another sync was at it, or just was.
    """

    calendar: Calendar | None
    kind: str = "full"
    created: int = 0
    updated: int = 0
    deleted: int = 0
    unchanged: int = 0
    pages: int = 0
    error: str = ""
    failure: Exception | None = None
    skipped: bool = False

    def add(self, changes: Changes) -> None:
        """Count a page."""
        self.pages += 1
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
    def is_revoked(self) -> bool:
        """Whether Google does not accept the account's credentials."""
        return any(isinstance(report.failure, AccessRevoked) for report in self.resources)

    @property
    def events(self) -> ResourceReport:
        """Counts over all calendars' events."""
        reports = [report for report in self.resources if report.calendar is not None]
        total = ResourceReport(None)
        for name in ("created", "updated", "deleted", "unchanged", "pages"):
            setattr(total, name, sum(getattr(report, name) for report in reports))
        return total


def sync_account(
    account: GoogleAccount,
    trigger: Trigger,
    *,
    sleep: Callable[[float], object] = time.sleep,
    patience_s: float = math.inf,
    fresh_after: dt.datetime | None = None,
    on_page: Callable[[ResourceReport], object] = lambda _: None,
) -> AccountReport:
    """Sync an account's calendar list and the events of its enabled calendars.

    A failure is reported, saved in the row's `last_error`, and does not stop the other calendars, unless the account's
    access was revoked. At the end the account's connection is judged (`calendar.connection_checked`).

    Args:
        account: whose calendars.
        trigger: what set it off.
        sleep: waits out back-offs and turns under the quota, in seconds.
        patience_s: the longest wait for one turn; a resource that would have to wait longer fails with RateLimited.
        fresh_after: leave alone what was synced since.
        on_page: told of a resource's counts after each of its pages.
    """
    report = AccountReport(account)
    with _client(account, sleep, patience_s) as client:
        run = partial(_sync_resource, report, account, trigger=trigger, fresh_after=fresh_after, on_page=on_page)
        run(None, CalendarListTarget(account), client.list_calendars)
        for calendar in Calendar.objects.filter(account=account, enabled=True) if not report.is_revoked else ():
            run(calendar, EventsTarget(calendar), partial(client.list_events, calendar.google_id))
            if report.is_revoked:
                break
    _check_connection(report)
    return report


def sync_calendar(
    calendar: Calendar, trigger: Trigger, *, sleep: Callable[[float], object] = time.sleep
) -> AccountReport:
    """Sync the events of one calendar."""
    report = AccountReport(calendar.account)
    with _client(calendar.account, sleep, math.inf) as client:
        pages = partial(client.list_events, calendar.google_id)
        _sync_resource(report, calendar.account, calendar, EventsTarget(calendar), pages, trigger=trigger)
    _check_connection(report)
    return report


def sync_calendar_list(
    account: GoogleAccount, trigger: Trigger, *, sleep: Callable[[float], object] = time.sleep
) -> AccountReport:
    """Sync an account's list of calendars, and no events."""
    report = AccountReport(account)
    with _client(account, sleep, math.inf) as client:
        _sync_resource(report, account, None, CalendarListTarget(account), client.list_calendars, trigger=trigger)
    _check_connection(report)
    return report


def _client(account: GoogleAccount, sleep: Callable[[float], object], patience_s: float) -> GoogleCalendarClient:
    return GoogleCalendarClient(account.google_id, AccountCredentials(account), sleep=sleep, patience_s=patience_s)


def _sync_resource(
    report: AccountReport,
    account: GoogleAccount,
    calendar: Calendar | None,
    target: Target,
    pages: Pages,
    *,
    trigger: Trigger,
    fresh_after: dt.datetime | None = None,
    on_page: Callable[[ResourceReport], object] = lambda _: None,
) -> None:
    """Sync one resource into the report."""
    row = calendar or account
    result = ResourceReport(calendar)
    report.resources.append(result)
    try:
        lease = Lease(row, fresh_after)
    except SyncInProgress:
        result.skipped = True
        return
    try:
        with sync_run(
            resource="calendar_list" if calendar is None else "events",
            kind="incremental" if row.sync_token else "full",
            trigger=trigger,
            account=account.google_id,
            calendar=calendar.google_id if calendar else None,
        ) as run:
            Listing(run, result, row, lease, target, on_page).sync(pages)
    except (GoogleError, LeaseLost, DatabaseError) as error:
        result.error, result.failure = f"{type(error).__name__}: {error}"[:500], error
        _release(lease, last_error=result.error, failures_in_a_row=F("failures_in_a_row") + 1)
    except BaseException:
        # A mistake in the code, or this process being stopped: not ours to swallow, but the next sync need not wait.
        _release(lease)
        raise
    finally:
        # Whatever became of it: pages before a failure are there, and the time and the result of the sync are shown.
        forget_dashboard(account.user_id)


def _check_connection(report: AccountReport) -> None:
    """Tell how the account's connection stands, by what this sync met."""
    tried = [resource for resource in report.resources if not resource.skipped]
    if not tried:
        return  # another sync was at it, and tells
    account = report.account
    expires_in_s = None
    if account.token_expires_at is not None and not account.refresh_token:
        expires_in_s = (account.token_expires_at - timezone.now()).total_seconds()
    failure = report.failed[0].failure if report.failed else None
    if report.is_revoked:
        status: ConnectionStatus = "revoked"
    elif failure is not None:
        status = "degraded"
    elif expires_in_s is not None and expires_in_s < TOKEN_EXPIRES_SOON_S:
        status = "expiring"
    else:
        status = "healthy"
    connection_checked(
        account=account.google_id,
        status=status,
        resource_count=len(tried),
        failed_count=len(report.failed),
        token_expires_in_s=expires_in_s,
        failure=failure,
    )


def _release(lease: Lease, **fields: object) -> None:
    """Save `fields` and let go. When the lease is lost, or the database is away, there is nothing left to save."""
    try:
        lease.release(**fields)
    except (LeaseLost, DatabaseError):
        return
