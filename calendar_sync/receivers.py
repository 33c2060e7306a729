"""What has to follow when an account is connected, changed or taken away by whatever code.

In: Django's signals. Out: its user's cached dashboard forgotten.
Never: a query. Calendars and events are changed by statements that send no signals; those who run them say so.
"""

from typing import Any

from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver

from calendar_sync.models import GoogleAccount
from calendar_sync.services import forget_dashboard


@receiver([post_save, post_delete], sender=GoogleAccount)
def account_changed(instance: GoogleAccount, **_: Any) -> None:
    """The dashboard lists accounts."""
    forget_dashboard(instance.user_id)
