"""Turning the sync of calendars on and off.

In: an account or a calendar, and whether it is to be synced.
Out: rows changed, one UPDATE each; their user's cached dashboard forgotten.
Never: events deleted; a calendar that is off keeps its copy, and its sync token to go on from.
"""

from __future__ import annotations

from calendar_sync.models import Calendar
from calendar_sync.services.dashboard_cache import forget_dashboard
from calendar_sync.services.rows import AccountRow, CalendarRow


class CalendarService:
    """Changes to calendars that a user may make."""

    @staticmethod
    def toggle_calendar(calendar: CalendarRow, enabled: bool) -> None:
        """Switch one calendar; the given value is changed too."""
        Calendar.objects.filter(pk=calendar.pk).update(enabled=enabled)
        forget_dashboard(calendar.user_id)
        calendar.enabled = enabled

    @staticmethod
    def bulk_toggle_calendars(account: AccountRow, enabled: bool) -> int:
        """Switch all calendars of an account, in one statement; returns how many changed."""
        changed = Calendar.objects.filter(account=account.pk).exclude(enabled=enabled).update(enabled=enabled)
        forget_dashboard(account.user_id)
        return changed
