"""The errors that Google documents and that several parts of the server answer with.

In: at most what differs from one answer to the next.
Out: ApiError with Google's status, reason, message and location.
Never: raising; the caller does that.

Source: Google Calendar API guide, "Handle API errors".
"""

from __future__ import annotations

from calendar_sync.fake_google.messages import ApiError

_USAGE_LIMITS = {
    "rateLimitExceeded": "Rate Limit Exceeded",
    "userRateLimitExceeded": "User Rate Limit Exceeded",
    "quotaExceeded": "Calendar usage limits exceeded.",
}


def not_found() -> ApiError:
    """404, also for what belongs to somebody else, as Google answers."""
    return ApiError(404, "notFound", "Not Found")


def rate_limited(status: int, reason: str) -> ApiError:
    """A usage-limit error: 403 or 429 with `rateLimitExceeded`, `userRateLimitExceeded` or `quotaExceeded`."""
    return ApiError(status, reason, _USAGE_LIMITS[reason], domain="usageLimits")


def invalid_credentials() -> ApiError:
    """401: the bearer token is unknown, expired or revoked."""
    return ApiError(
        401,
        "authError",
        "Invalid Credentials",
        location="Authorization",
        location_type="header",
        headers={"WWW-Authenticate": 'Bearer realm="https://accounts.google.com/", error="invalid_token"'},
    )


def full_sync_required() -> ApiError:
    """410: the sync token cannot be used any more."""
    message = "Sync token is no longer valid, a full sync is required."
    return ApiError(410, "fullSyncRequired", message, domain="calendar", location="syncToken")


def updated_min_too_long_ago() -> ApiError:
    """410: changes are not remembered back to `updatedMin`."""
    message = "The requested minimum modification time lies too far in the past."
    return ApiError(410, "updatedMinTooLongAgo", message, domain="calendar", location="updatedMin")


def precondition_failed() -> ApiError:
    """412: the resource is another version than the one `If-Match` names."""
    return ApiError(412, "conditionNotMet", "Precondition Failed", location="If-Match", location_type="header")


def conflict() -> ApiError:
    """409: a request in a batch got in the way of another one in it."""
    return ApiError(409, "conflict", "Conflict")


def backend_error(status: int) -> ApiError:
    """5xx: Google's own failure."""
    return ApiError(status, "backendError", "Backend Error")


def invalid_parameter(name: str, message: str) -> ApiError:
    """400: a query parameter's value, or the parameter itself, is not accepted."""
    return ApiError(400, "invalidParameter", message, location=name)
