"""What a user sees: accounts with their calendars, and the events that come next.

In: a user.
Out: frozen values, in a number of queries that does not depend on how much there is.
Never: another user's rows.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from django.contrib.auth.models import User
from django.db.models import Prefetch
from django.utils import timezone

from calendar_sync.models import Calendar, Event, GoogleAccount

UPCOMING_DAYS = 60
UPCOMING_EVENTS = 12

Status = Literal["never", "ok", "failed"]


@dataclass(frozen=True)
class AccountSummary:
    """An account and its calendars, each with its number of events."""

    account: GoogleAccount
    calendars: list[Calendar]

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
        rows = [self.account, *(calendar for calendar in self.calendars if calendar.enabled)]
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
    upcoming: list[Event]

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
    """Reads for one user."""

    def __init__(self, user: User) -> None:
        self._user = user

    def dashboard(self) -> Dashboard:
        """Everything the dashboard shows: three queries, however many accounts and calendars there are."""
        return Dashboard(self._summaries(), self.upcoming())

    def account(self, account_id: int) -> AccountSummary | None:
        """One account (two queries), or None when it is not this user's."""
        summaries = self._summaries(pk=account_id)
        return summaries[0] if summaries else None

    def account_of_calendar(self, calendar_id: int) -> tuple[AccountSummary, Calendar] | None:
        """The account a calendar belongs to, and the calendar in it (two queries); None when it is not this user's."""
        for summary in self._summaries(calendars=calendar_id):
            for calendar in summary.calendars:
                if calendar.pk == calendar_id:
                    return summary, calendar
        return None

    def upcoming(self, account: GoogleAccount | None = None) -> list[Event]:
        """The next events of the enabled calendars (of one account), today's included; each with its calendar.

        The window keeps the query to a range of the index however many years a calendar reaches ahead.
        """
        today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
        events = Event.objects.filter(
            calendar__account__user=self._user,
            calendar__enabled=True,
            starts_at__gte=today,
            starts_at__lt=today + dt.timedelta(days=UPCOMING_DAYS),
        )
        if account is not None:
            events = events.filter(calendar__account=account)
        return list(events.select_related("calendar")[:UPCOMING_EVENTS])

    def _summaries(self, **filters: int) -> list[AccountSummary]:
        accounts = GoogleAccount.objects.filter(user=self._user, **filters).prefetch_related(
            Prefetch("calendars", Calendar.objects.with_event_counts(), to_attr="counted_calendars")
        )
        return [AccountSummary(account, account.counted_calendars) for account in accounts]
