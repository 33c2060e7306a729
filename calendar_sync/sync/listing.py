"""One listing of one resource, page by page: incremental where that is possible, in full where it is not, and going on
where an earlier one was broken off.

In: a row with its sync state, its lease, pages from Google. Out: rows, and their state, saved together.
Never: a token saved before the rows it stands for; a row deleted before a full listing has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from django.db import transaction
from django.utils import timezone

from calendar_sync.google import CalendarPage, PageTokenRefused, SyncTokenExpired
from calendar_sync.models import Calendar, GoogleAccount
from calendar_sync.sync.lease import Lease
from calendar_sync.sync.targets import Target, UnexpectedResource
from logging_pkg import track_performance
from logging_pkg.instrumentation.sync import SyncRun

if TYPE_CHECKING:
    from calendar_sync.sync.engine import ResourceReport


class Pages(Protocol):
    """Lists a resource: since a sync token or (empty) in full, from a page token or (empty) from the start."""

    def __call__(self, sync_token: str, page_token: str) -> Iterator[CalendarPage]: ...


class Listing:
    """What is needed to list one resource into its rows.

    Each page is a transaction of its own, which saves the token of the next page with it. A sync that dies midway
    leaves whole pages behind, and the next one goes on after them, and then with what has changed since the first. A
    full listing has a number; its rows are marked with it, so that those Google did not list can be told at its end,
    whoever ends it.
    """

    def __init__(
        self,
        run: SyncRun,
        report: ResourceReport,
        row: GoogleAccount | Calendar,
        lease: Lease,
        target: Target,
        on_page: Callable[[ResourceReport], object],
    ) -> None:
        self._run = run
        self._report = report
        self._row = row
        self._lease = lease
        self._target = target
        self._on_page = on_page

    def sync(self, pages: Pages) -> None:
        """List what is to be listed, starting over where Google refuses the sync token (410) or the page's (400).

        Raises:
            GoogleError, LeaseLost, DatabaseError: it is broken off; what was saved is the start of the next one.
        """
        row = self._row
        self._report.kind = "incremental" if row.sync_token else "full"
        if row.page_token:
            self._run.resumed()
            try:
                row.sync_token = self._apply(pages, row.sync_token, row.page_token, goes_on=True)
                row.page_token = ""
            except PageTokenRefused:
                row.page_token = ""
            except SyncTokenExpired:
                self._start_over()
        if row.sync_token:
            try:
                self._apply(pages, row.sync_token)
                return
            except SyncTokenExpired:
                self._start_over()
        row.listing += 1
        self._apply(pages, "")

    def _start_over(self) -> None:
        self._run.sync_token_expired()
        self._report.kind = "full"
        self._row.sync_token = self._row.page_token = ""

    def _apply(self, pages: Pages, sync_token: str, page_token: str = "", *, goes_on: bool = False) -> str:
        """Write the pages; returns the next sync token. The last page ends the sync, unless it goes on with others."""
        is_full = not sync_token
        listing = self._row.listing
        for page in pages(sync_token, page_token):
            is_last = page.sync_token is not None
            with self._run.page(), track_performance("calendar_sync.apply_page"), transaction.atomic():
                changes = self._target.apply(page.items, listing)
                if is_last and is_full:
                    changes = replace(changes, deleted=changes.deleted + self._target.delete_unseen(listing))
                if is_last and goes_on:
                    self._lease.renew(sync_token=page.sync_token, page_token="", listing=listing)
                elif is_last:
                    self._lease.release(
                        sync_token=page.sync_token,
                        page_token="",
                        listing=listing,
                        last_synced_at=timezone.now(),
                        last_error="",
                        failures_in_a_row=0,
                    )
                else:
                    self._lease.renew(sync_token=sync_token, page_token=page.next_page_token, listing=listing)
            self._report.add(changes)
            self._run.created(changes.created)
            self._run.updated(changes.updated)
            self._run.deleted(changes.deleted)
            self._run.unchanged(changes.unchanged)
            if changes.newest is not None:
                self._run.changed_at(changes.newest)
            self._on_page(self._report)
            if page.sync_token is not None:
                return page.sync_token
        raise UnexpectedResource("the last page of a listing has no nextSyncToken")
