"""The Google Calendar API as the application uses it.

In: an account's token, calls in this application's terms.
Out: pages of resources, or an error that says what to do about it.
Never: rows or knowledge of what is synced.
"""

from calendar_sync.google.client import CalendarPage, GoogleCalendarClient, new_event_id
from calendar_sync.google.credentials import AccountCredentials
from calendar_sync.google.errors import (
    AccessRevoked,
    AlreadyDeleted,
    AlreadyExists,
    ApiRejected,
    ApiUnavailable,
    GoogleError,
    NotFound,
    PageTokenRefused,
    PushNotSupported,
    QuotaExceeded,
    RateLimited,
    SyncTokenExpired,
)
from calendar_sync.google.retry import RetryPolicy

__all__ = [
    "AccessRevoked",
    "AccountCredentials",
    "AlreadyDeleted",
    "AlreadyExists",
    "ApiRejected",
    "ApiUnavailable",
    "CalendarPage",
    "GoogleCalendarClient",
    "GoogleError",
    "NotFound",
    "PageTokenRefused",
    "PushNotSupported",
    "QuotaExceeded",
    "RateLimited",
    "RetryPolicy",
    "SyncTokenExpired",
    "new_event_id",
]
