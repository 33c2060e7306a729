"""What can go wrong with a call to Google, by what is to be done about it.

In: what google-api-python-client, google-auth and httplib2 raise.
Out: one exception class per remedy, each naming status, reason and next step.
Never: tokens or bodies in a message.
"""

from __future__ import annotations

import email.utils
import http.client
import time

import httplib2
from google.auth.exceptions import GoogleAuthError, TransportError
from googleapiclient.errors import HttpError

RATE_LIMIT_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
FULL_SYNC_REASONS = frozenset({"fullSyncRequired", "updatedMinTooLongAgo"})

# What a request that got no answer ends in: no connection, a broken one, an answer cut short, a time-out.
TRANSPORT_ERRORS = (OSError, httplib2.HttpLib2Error, http.client.HTTPException, TransportError)


class GoogleError(Exception):
    """Any failure of a call to Google."""


class SyncTokenExpired(GoogleError):
    """The sync token cannot be used any more: sync in full."""


class PageTokenRefused(GoogleError):
    """The page token cannot be used any more: begin the listing again."""


class AccessRevoked(GoogleError):
    """The account's credentials are not accepted: its user must connect it again."""


class ApiRejected(GoogleError):
    """The request was refused and would be again (4xx)."""


class NotFound(ApiRejected):
    """The resource does not exist, or not for this account (404)."""


class AlreadyExists(ApiRejected):
    """The identifier is taken (409)."""


class AlreadyDeleted(ApiRejected):
    """The event had been deleted before (410 `deleted`)."""


class PushNotSupported(ApiRejected):
    """Google tells of no changes to this resource (400): it has to be asked, as public holidays have."""


class QuotaExceeded(ApiRejected):
    """A usage limit of the day or the account is used up (403 `quotaExceeded`): waiting seconds does not help."""


class ApiUnavailable(GoogleError):
    """A passing failure: 5xx or no answer. `retry_after_s` is what the server asked to wait, in seconds."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class RateLimited(ApiUnavailable):
    """Too many requests (429, or 403 with a rate limit's reason): slow down."""


def translated(error: Exception, operation: str) -> GoogleError:
    """The error of this module that `error`, raised by the client library during `operation`, stands for."""
    if isinstance(error, HttpError):
        return _from_answer(error, operation)
    if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
        return AccessRevoked(
            f"{operation}: credentials not accepted ({type(error).__name__}); connect the account again"
        )
    return ApiUnavailable(f"{operation}: no answer ({type(error).__name__}: {error})")


def _from_answer(error: HttpError, operation: str) -> GoogleError:
    status, reason = int(error.resp.status), reason_of(error)
    text = f"{operation}: {status} {reason}: {error.reason}"
    if status == 401:
        return AccessRevoked(f"{text}; connect the account again")
    if status == 429 or (status == 403 and reason in RATE_LIMIT_REASONS):
        return RateLimited(text, retry_after_s(error))
    if status >= 500:
        return ApiUnavailable(text, retry_after_s(error))
    if status == 410 and reason in FULL_SYNC_REASONS:
        return SyncTokenExpired(text)
    if status == 410 and reason == "deleted":
        return AlreadyDeleted(text)
    if status == 400 and _location_of(error) == "pageToken":
        return PageTokenRefused(text)
    if status == 403 and reason == "quotaExceeded":
        return QuotaExceeded(text)
    if status == 400 and reason == "pushNotSupportedForRequestedResource":
        return PushNotSupported(text)
    kinds: dict[int, type[ApiRejected]] = {404: NotFound, 409: AlreadyExists}
    return kinds.get(status, ApiRejected)(text)


def reason_of(error: HttpError) -> str:
    """Google's machine-readable reason (`error.errors[0].reason`), or `unknown`."""
    details = error.error_details
    if isinstance(details, list) and details and isinstance(details[0], dict):
        return str(details[0].get("reason", "unknown"))
    return "unknown"


def _location_of(error: HttpError) -> str:
    """Which parameter the first of Google's complaints is about; empty where it does not say."""
    details = error.error_details
    if isinstance(details, list) and details and isinstance(details[0], dict):
        return str(details[0].get("location", ""))
    return ""


def retry_after_s(error: HttpError) -> float | None:
    """The Retry-After header in seconds from now (RFC 9110, 10.2.3: seconds or an HTTP date); None without one."""
    text = str(error.resp.get("retry-after", "")).strip()
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
