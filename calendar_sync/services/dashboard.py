"""What a user sees: accounts with their calendars, and the events that come next.

In: a user.
Out: plain values, in a number of queries that does not depend on how much there is; in none where they are cached.
Never: another user's rows; what was there before a change.
"""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import Literal

from django.conf import settings
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import transaction
from django.db.models import Prefetch
from django.utils import timezone

from calendar_sync.models import Calendar, Event, GoogleAccount
from calendar_sync.services.dashboard_cache import dashboard_key
from calendar_sync.services.rows import AccountRow, CalendarRow, EventCalendar, EventRow

logger = logging.getLogger(__name__)

UPCOMING_DAYS = 60
UPCOMING_EVENTS = 12

Status = Literal["never", "ok", "failed"]


@dataclass(frozen=True)
class AccountSummary:
    """An account and its calendars, each with its number of events."""

    account: AccountRow
    calendars: list[CalendarRow]

    @property
    def enabled_count(self) -> int:
        """Calendars that are synced."""
        return sum(calendar.enabled for calendar in self.calendars)

    @property
    def all_enabled(self) -> bool:
        """Whether there is nothing left to switch on."""
        return self.enabled_count == len(self.calendars)

    @property
    def event_count(self) -> int:
        """Events of all calendars."""
        return sum(calendar.event_count for calendar in self.calendars)

    @property
    def errors(self) -> list[str]:
        """What went wrong at the last sync: of the list of calendars, and of each enabled calendar."""
        rows: list[AccountRow | CalendarRow] = [
            self.account,
            *(calendar for calendar in self.calendars if calendar.enabled),
        ]
        return [f"{row}: {row.last_error}" for row in rows if row.last_error]

    @property
    def status(self) -> Status:
        """`failed` when anything did at the last sync, `never` before the first, else `ok`."""
        if self.errors:
            return "failed"
        return "ok" if self.account.last_synced_at else "never"


@dataclass(frozen=True)
class Dashboard:
    """A user's accounts, and their next events."""

    accounts: list[AccountSummary]
    upcoming: list[EventRow]

    @property
    def calendar_count(self) -> int:
        """Calendars of all accounts."""
        return sum(len(summary.calendars) for summary in self.accounts)

    @property
    def enabled_count(self) -> int:
        """Calendars that are synced."""
        return sum(summary.enabled_count for summary in self.accounts)

    @property
    def event_count(self) -> int:
        """Events of all accounts."""
        return sum(summary.event_count for summary in self.accounts)


class DashboardService:
    """Reads for one user, on one day."""

    def __init__(self, user: User) -> None:
        self._user = user
        self._today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)

    def dashboard(self) -> Dashboard:
        """Everything the dashboard shows, cached or read; a cache that is away makes it slower, and nothing else."""
        # What a transaction sees of its own may yet be rolled back: nobody else is to see it.
        if settings.DASHBOARD_CACHE_S <= 0 or transaction.get_connection().in_atomic_block:
            return self.read_dashboard()
        try:
            key = self.cache_key()
            found = cache.get(key)
        except Exception:  # each backend has its own
            logger.exception("The cache failed; the dashboard is read from the database")
            return self.read_dashboard()
        if isinstance(found, Dashboard):
            return found
        dashboard = self.read_dashboard()
        try:
            cache.set(key, dashboard, settings.DASHBOARD_CACHE_S)
        except Exception:
            logger.exception("The cache failed; the dashboard was not stored")
        return dashboard

    def cache_key(self) -> str:
        """Where `read_dashboard`, called after this, may be stored."""
        return dashboard_key(self._user, self._today)

    def read_dashboard(self) -> Dashboard:
        """The dashboard as the database has it: three queries, however many accounts and calendars there are."""
        return Dashboard(self._summaries(), self.upcoming())

    def google_account(self, account_id: int) -> GoogleAccount | None:
        """An account to sync (one query), or None when it is not this user's."""
        return GoogleAccount.objects.filter(user=self._user, pk=account_id).first()

    def account(self, account_id: int) -> AccountSummary | None:
        """One account (two queries), or None when it is not this user's."""
        summaries = self._summaries(pk=account_id)
        return summaries[0] if summaries else None

    def account_of_calendar(self, calendar_id: int) -> tuple[AccountSummary, CalendarRow] | None:
        """The account a calendar belongs to, and the calendar in it (two queries); None when it is not this user's."""
        for summary in self._summaries(calendars=calendar_id):
            for calendar in summary.calendars:
                if calendar.pk == calendar_id:
                    return summary, calendar
        return None

    def upcoming(self, account: AccountRow | None = None) -> list[EventRow]:
        """The next events of the enabled calendars (of one account), today's included; each with its calendar.

        The window keeps the query to a range of the index however many years a calendar reaches ahead.
        """
        events = Event.objects.filter(
            calendar__account__user=self._user,
            calendar__enabled=True,
            starts_at__gte=self._today,
            starts_at__lt=self._today + dt.timedelta(days=UPCOMING_DAYS),
        )
        if account is not None:
            events = events.filter(calendar__account=account.pk)
        columns = events.values_list(
            "pk", "summary", "starts_at", "all_day", "calendar__summary", "calendar__background_color"
        )
        return [
            EventRow(pk, summary, starts_at, all_day, EventCalendar(calendar, color))
            for pk, summary, starts_at, all_day, calendar, color in columns[:UPCOMING_EVENTS]
        ]

    def _summaries(self, **filters: int) -> list[AccountSummary]:
        # No page shows a token: they are neither read nor decrypted.
        accounts = GoogleAccount.objects.defer("access_token", "refresh_token").filter(user=self._user, **filters)
        accounts = accounts.prefetch_related(
            Prefetch("calendars", Calendar.objects.with_event_counts(), to_attr="counted_calendars")
        )
        return [
            AccountSummary(_account_row(account), [_calendar_row(account, row) for row in account.counted_calendars])
            for account in accounts
        ]


def _account_row(account: GoogleAccount) -> AccountRow:
    return AccountRow(account.pk, account.user_id, account.email, account.last_synced_at, account.last_error)


def _calendar_row(account: GoogleAccount, calendar: Calendar) -> CalendarRow:
    return CalendarRow(
        calendar.pk,
        account.user_id,
        calendar.summary,
        calendar.time_zone,
        calendar.background_color,
        calendar.enabled,
        calendar.event_count,
        calendar.last_error,
    )
