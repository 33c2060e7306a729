"""The Django application's configuration.

In: nothing. Out: its name and key type.
Never: code that runs at start-up.
"""

from django.apps import AppConfig


class CalendarSyncConfig(AppConfig):
    """`calendar_sync`, with 64-bit keys."""

    name = "calendar_sync"
    default_auto_field = "django.db.models.BigAutoField"
