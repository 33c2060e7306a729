"""What has to follow when an account is connected, changed or taken away by whatever code, or somebody signs in.

In: Django's signals. Out: its user's cached dashboard forgotten; the sign-in recorded.
Never: a query for an account. Calendars and events are changed by statements that send no signals; those who run them
say so.
"""

from typing import Any

from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_delete, post_init, post_save
from django.dispatch import receiver

from calendar_sync.models import GoogleAccount
from calendar_sync.services import forget_dashboard, record

_OWNER = "_owner_before"


@receiver(post_init, sender=GoogleAccount)
def account_read(instance: GoogleAccount, **_: Any) -> None:
    """Whose dashboard it is on: an account may be given to another user. A deferred column is not asked for."""
    vars(instance)[_OWNER] = vars(instance).get("user_id")


@receiver([post_save, post_delete], sender=GoogleAccount)
def account_changed(instance: GoogleAccount, **_: Any) -> None:
    """The dashboard lists accounts."""
    before: int | None = vars(instance).get(_OWNER)
    forget_dashboard(instance.user_id)
    if before is not None and before != instance.user_id:
        forget_dashboard(before)
    vars(instance)[_OWNER] = instance.user_id


@receiver(user_logged_in)
def signed_in(user: Any, **_: Any) -> None:
    """The first step of what people do here."""
    record(user.pk, "signed_in")
