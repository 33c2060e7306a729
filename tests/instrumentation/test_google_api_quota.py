"""What an attempt costs, and when the quota starts anew."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from googleapiclient.errors import HttpError

from logging_pkg.conf import Settings
from logging_pkg.exceptions import ConfigurationError
from logging_pkg.instrumentation.google_api import attempt
from logging_pkg.instrumentation.google_api.quota import Outcome, quota_day, units_of
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.instrumentation.google_server import GoogleServer

CALL = "google_api.call_finished"


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("outcome", "status", "reason", "units"),
    [
        ("answered", 200, None, 1),
        ("answered", 304, None, 1),
        ("answered", 400, "badRequest", 1),
        ("answered", 401, "authError", 0),
        ("answered", 403, "rateLimitExceeded", 0),
        ("answered", 403, "userRateLimitExceeded", 0),
        ("answered", 403, "quotaExceeded", 0),
        ("answered", 403, "dailyLimitExceeded", 0),
        ("answered", 403, "forbidden", 1),
        ("answered", 404, "notFound", 1),
        ("answered", 410, "fullSyncRequired", 1),
        ("answered", 429, "unlisted", 0),
        ("answered", 500, "backendError", 1),
        ("unknown", None, None, 1),
        ("unknown", 429, None, 0),
        ("unsent", None, None, 0),
    ],
)
def test_what_an_attempt_uses(outcome: Outcome, status: int | None, reason: str | None, units: int) -> None:
    """Nothing where it was not sent or refused before the API acted, else one."""
    assert units_of(outcome, status, reason) == units


def test_what_a_batch_uses() -> None:
    """One for each part that was not refused; all of them where that is not known, none where it was not sent."""
    assert units_of("answered", 200, None, parts=5, refused_parts=2) == 3
    assert units_of("answered", 500, None, parts=5) == 5
    assert units_of("answered", 429, None, parts=5) == 0
    assert units_of("unknown", None, None, parts=5) == 5
    assert units_of("unsent", None, None, parts=5) == 0


@pytest.mark.parametrize(
    ("moment", "date", "left_h"),
    [
        ("2026-01-10T07:59:00", "2026-01-09", 1 / 60),  # UTC-8: midnight is at 08:00 UTC
        ("2026-01-10T08:00:00", "2026-01-10", 24),
        ("2026-07-10T07:00:00", "2026-07-10", 24),  # UTC-7
        ("2026-03-08T08:00:00", "2026-03-08", 23),  # clocks go forward at 02:00 Pacific
        ("2026-03-08T09:59:59", "2026-03-08", 21 + 1 / 3600),
        ("2026-03-08T10:00:00", "2026-03-08", 21),
        ("2026-03-09T07:00:00", "2026-03-09", 24),
        ("2026-11-01T07:00:00", "2026-11-01", 25),  # clocks go back at 02:00 Pacific
        ("2026-11-01T08:30:00", "2026-11-01", 23.5),  # the first 01:30
        ("2026-11-01T09:30:00", "2026-11-01", 22.5),  # the second
        ("2026-11-02T07:59:59", "2026-11-01", 1 / 3600),
        ("2026-11-02T08:00:00", "2026-11-02", 24),
        ("2026-12-31T20:00:00", "2026-12-31", 12),
    ],
)
def test_the_quota_day_is_pacific(moment: str, date: str, left_h: float) -> None:
    """It begins at midnight there, and has 23 or 25 hours when the clocks change."""
    day = quota_day(at(moment))
    assert (day.date, day.left_s(at(moment))) == (date, round(left_h * 3600))


def test_a_day_is_never_over_by_a_negative_time() -> None:
    """Whatever moment it is asked of."""
    day = quota_day(at("2026-01-10T07:59:59.999"))
    assert day.left_s(at("2026-01-10T07:59:59.999")) == 0
    assert day.left_s(at("2026-01-11T00:00:00")) == 0


def test_an_attempt_tells_its_day_and_the_limits(
    google: GoogleServer, calendar: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the moment it began, with the settings in force: a rule can read no setting."""
    moment = at("2026-01-10T07:59:30")
    monkeypatch.setattr(attempt, "time", SimpleNamespace(time=lambda: moment))
    google.answers = [(200, {})]
    limits = {"google_quota_per_minute": 7, "google_quota_per_user_minute": 5, "google_quota_per_day": 11}
    with capture_events(**limits) as events:
        calendar.events().get(calendarId="c", eventId="e").execute()
    assert_event(
        events,
        CALL,
        quota_day="2026-01-09",
        quota_day_left_s=30,
        quota_minute_limit=7,
        quota_user_minute_limit=5,
        quota_day_limit=11,
    )


def test_the_limits_are_googles_unless_said_otherwise(
    google: GoogleServer, calendar: Any, log_events: LogEvents
) -> None:
    """Those of the documentation."""
    google.answers = [(200, {})]
    calendar.events().get(calendarId="c", eventId="e").execute()
    assert_event(log_events, CALL, quota_minute_limit=10_000, quota_user_minute_limit=600, quota_day_limit=1_000_000)


@pytest.mark.parametrize("name", ["google_quota_per_minute", "google_quota_per_user_minute", "google_quota_per_day"])
def test_a_limit_of_nought_cannot_be_meant(name: str) -> None:
    """A share of it could not be computed."""
    assert getattr(Settings.from_environ({f"LOGPIPE_{name.upper()}": "12"}), name) == 12
    with pytest.raises(ConfigurationError, match=f"{name} is 0, expected a number from 1"):
        Settings.from_environ({f"LOGPIPE_{name.upper()}": "0"})


def test_a_refused_attempt_uses_nothing(google: GoogleServer, calendar: Any, log_events: LogEvents) -> None:
    """Told with the attempt."""
    google.answers = [(403, {"error": {"errors": [{"reason": "dailyLimitExceeded"}]}})]
    with pytest.raises(HttpError):
        calendar.events().list(calendarId="c").execute()
    assert_event(log_events, CALL, quota_units=0, is_rate_limited=0, reason="dailyLimitExceeded", is_error=1)
