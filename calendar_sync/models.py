"""Google accounts of the site's users, their calendars, and the events in those.

In: what the sync engine learned from Google.
Out: rows. Sync state (tokens, leases, last result) lives beside what it is about.
Never: rules of syncing or of display.
"""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Count, IntegerField, OuterRef, Subquery
from django.db.models.functions import Coalesce


class SyncState(models.Model):
    """Where the sync of one resource stands.

    A sync owns the resource while `lease_until` lies ahead and `lease_id` is its own; see `sync.lease`.
    """

    sync_token = models.TextField(blank=True, default="")
    last_synced_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True, default="")
    lease_id = models.UUIDField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class GoogleAccount(SyncState):
    """A Google account that a user has connected. Its own sync state is that of its list of calendars."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="google_accounts")
    google_id = models.CharField(max_length=255, help_text="Google's stable ID of the account (`sub`).")
    email = models.EmailField()
    access_token = models.TextField(help_text="Bearer token of the Calendar API.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["email", "pk"]
        constraints = [models.UniqueConstraint(fields=["user", "google_id"], name="account_once_per_user")]

    def __str__(self) -> str:
        return self.email


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

    class Meta:
        ordering = ["starts_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["calendar", "google_id"], name="event_once_per_calendar")]
        # Serves "the next events of these calendars" and plain foreign key look-ups alike: hence db_index=False above.
        indexes = [models.Index(fields=["calendar", "starts_at"], name="event_by_calendar_and_start")]

    def __str__(self) -> str:
        return self.summary
