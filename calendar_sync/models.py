"""Google accounts of the site's users, their calendars, the events in those, and what syncing them needs to remember.

In: what the sync engine learned from Google.
Out: rows. Sync state (tokens, leases, last result) lives beside what it is about.
Never: rules of syncing or of display.
"""

from __future__ import annotations

import datetime as dt
import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from calendar_sync.encryption import EncryptedTextField


class SyncState(models.Model):
    """Where the sync of one resource stands.

    A sync owns the resource while `lease_until` lies ahead and `lease_id` is its own; see `sync.lease`.
    """

    sync_token = models.TextField(blank=True, default="")
    # Where a listing that was broken off goes on: the next page's token, and what its rows are marked with.
    page_token = models.TextField(blank=True, default="")
    listing = models.BigIntegerField(default=0, help_text="Number of the full listing that is, or was last, under way.")
    last_synced_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    failures_in_a_row = models.PositiveIntegerField(default=0)
    # A push notification asks for a sync: when, and what the sync belongs to (correlation and parent span).
    requested_at = models.DateTimeField(null=True, blank=True, db_index=True)
    requested_by = models.CharField(max_length=64, blank=True, default="", help_text="W3C traceparent of the request.")
    # What leads from a row to the trace of its sync, whatever became of that.
    correlation_id = models.CharField(max_length=32, blank=True, default="", help_text="Of the newest sync.")
    lease_id = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class GoogleAccount(SyncState):
    """A Google account that a user has connected. Its own sync state is that of its list of calendars."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="google_accounts")
    google_id = models.CharField(max_length=255, help_text="Google's stable ID of the account (`sub`).")
    email = models.EmailField()
    access_token = EncryptedTextField(blank=True, default="", help_text="Bearer token of the Calendar API.")
    refresh_token = EncryptedTextField(blank=True, default="", help_text="What a new access token is had for.")
    token_expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["email", "pk"]
        constraints = [models.UniqueConstraint(fields=["user", "google_id"], name="account_once_per_user")]

    def __str__(self) -> str:
        return self.email

    def save_tokens(self, *, refresh_token: bool = True) -> None:
        """Store the tokens, and nothing else of the row, which a sync may be changing."""
        names = ("access_token", "token_expires_at", *(("refresh_token",) if refresh_token else ()))
        GoogleAccount.objects.filter(pk=self.pk).update(**{name: getattr(self, name) for name in names})


class CalendarQuerySet(models.QuerySet["Calendar"]):
    """Queries over calendars."""

    def with_event_counts(self) -> CalendarQuerySet:
        """Annotate `event_count`, by an index-only sub-query per calendar (a join would group every event row)."""
        events = Event.objects.filter(calendar=OuterRef("pk")).order_by().values("calendar").annotate(n=Count("pk"))
        # A mapping: the type checker would take a keyword for a second definition of Calendar.event_count.
        counted = {"event_count": Coalesce(Subquery(events.values("n")), 0, output_field=IntegerField())}
        return self.annotate(**counted)


class Calendar(SyncState):
    """A calendar of an account's list. Only enabled ones have their events synced."""

    account = models.ForeignKey(GoogleAccount, on_delete=models.CASCADE, related_name="calendars")
    google_id = models.CharField(max_length=255)
    etag = models.CharField(max_length=128)
    summary = models.CharField(max_length=500)
    time_zone = models.CharField(max_length=64, default="UTC")
    background_color = models.CharField(max_length=16, blank=True, default="")
    enabled = models.BooleanField(default=True)
    seen_in_listing = models.BigIntegerField(default=0, help_text="The account's full listing it was in last.")

    # Only where the query was made `with_event_counts`.
    event_count: int

    objects = CalendarQuerySet.as_manager()

    class Meta:
        ordering = ["summary", "pk"]
        constraints = [models.UniqueConstraint(fields=["account", "google_id"], name="calendar_once_per_account")]

    def __str__(self) -> str:
        return self.summary


class Event(models.Model):
    """An event as Google last told of it. An all-day event spans midnights in UTC."""

    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, related_name="events", db_index=False)
    google_id = models.CharField(max_length=1024)
    etag = models.CharField(max_length=128)
    status = models.CharField(max_length=16, default="confirmed")
    summary = models.TextField(blank=True, default="")
    description = models.TextField(blank=True, default="")
    location = models.TextField(blank=True, default="")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    all_day = models.BooleanField(default=False)
    google_updated_at = models.DateTimeField()
    seen_in_listing = models.BigIntegerField(default=0, help_text="The calendar's full listing it was in last.")

    class Meta:
        ordering = ["starts_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["calendar", "google_id"], name="event_once_per_calendar")]
        # Serves "the next events of these calendars" and plain foreign key look-ups alike: hence db_index=False above.
        indexes = [models.Index(fields=["calendar", "starts_at"], name="event_by_calendar_and_start")]

    def __str__(self) -> str:
        return self.summary


class RequestTurn(models.Model):
    """A quota of Google's as all processes share it: when the next request may be sent (`google.limiter`)."""

    quota = models.CharField(max_length=320, primary_key=True)
    free_at = models.FloatField(help_text="Seconds since the epoch.")

    def __str__(self) -> str:
        return self.quota


def new_channel_token() -> str:
    """A secret for one channel."""
    return secrets.token_urlsafe(32)


class PushChannel(models.Model):
    """Where Google tells of changes to one calendar's events, or (without a calendar) to an account's list of them.

    One without `resource_id` is not open: it is being opened, or Google has refused to; see `sync.channels`.
    """

    account = models.ForeignKey(GoogleAccount, on_delete=models.CASCADE, related_name="channels")
    calendar = models.ForeignKey(Calendar, on_delete=models.CASCADE, null=True, blank=True, related_name="channels")
    channel_id = models.UUIDField(unique=True, default=uuid.uuid4)
    token = models.CharField(max_length=64, default=new_channel_token, help_text="Proves that a message is Google's.")
    resource_id = models.CharField(max_length=255, help_text="Google's name of what is watched; ends the channel.")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return str(self.channel_id)

    def expires_within(self, period: dt.timedelta) -> bool:
        """Whether it has to be replaced soon."""
        return self.expires_at <= timezone.now() + period


class UserAction(models.Model):
    """That a user did something of this kind on this day (UTC). The first makes the row, so each is counted once."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    day = models.DateField()
    action = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "day", "action"], name="action_once_per_user_and_day")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.day} {self.action}"
