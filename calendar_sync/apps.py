"""The Django application's configuration.

In: nothing. Out: its name and key type; the receivers of its signals.
Never: a query at start-up.
"""

from django.apps import AppConfig


class CalendarSyncConfig(AppConfig):
    """`calendar_sync`, with 64-bit keys."""

    name = "calendar_sync"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Connect the receivers."""
        from calendar_sync import receivers  # noqa: F401  (connects them)
