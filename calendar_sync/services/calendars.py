"""Turning the sync of calendars on and off.

In: an account or a calendar, and whether it is to be synced.
Out: rows changed, one UPDATE each.
Never: events deleted; a calendar that is off keeps its copy, and its sync token to go on from.
"""

from __future__ import annotations

from calendar_sync.models import Calendar, GoogleAccount


class CalendarService:
    """Changes to calendars that a user may make."""

    @staticmethod
    def toggle_calendar(calendar: Calendar, enabled: bool) -> None:
        """Switch one calendar; the given instance is changed too."""
        Calendar.objects.filter(pk=calendar.pk).update(enabled=enabled)
        calendar.enabled = enabled

    @staticmethod
    def bulk_toggle_calendars(account: GoogleAccount, enabled: bool) -> int:
        """Switch all calendars of an account, in one statement; returns how many changed."""
        return Calendar.objects.filter(account=account).exclude(enabled=enabled).update(enabled=enabled)
