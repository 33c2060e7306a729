"""What an attempt costs: quota units, and the day they count for.

In: what became of an attempt, the time. Out: units, Pacific days. Never: a guess below what Google may have counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

#: Google's quota day starts at midnight Pacific time. Source: Calendar API, "Manage quotas".
_ZONE = ZoneInfo("America/Los_Angeles")

#: Source: Calendar API, "Handle API errors".
_RATE_LIMIT_REASONS = frozenset({"rateLimitExceeded", "userRateLimitExceeded"})
_LIMIT_REASONS = _RATE_LIMIT_REASONS | {"quotaExceeded", "dailyLimitExceeded"}

Outcome = Literal["answered", "unsent", "unknown"]


def is_rate_limited(status: int | None, reason: str | None) -> bool:
    """Whether an answer says that there were too many requests."""
    return status == 429 or (status == 403 and reason in _RATE_LIMIT_REASONS)


def is_refused(status: int | None, reason: str | None) -> bool:
    """Whether an answer was given before the API did anything: by authentication or by a usage limit."""
    return status in {401, 429} or (status == 403 and reason in _LIMIT_REASONS)


def units_of(
    outcome: Outcome, status: int | None, reason: str | None, *, parts: int = 1, refused_parts: int = 0
) -> int:
    """Quota units an attempt used, an upper bound where that is not known (docs/adr/0051).

    Args:
        outcome: of the attempt.
        status: of the answer, None without one.
        reason: Google's.
        parts: requests it carried, each of which counts.
        refused_parts: those of them that were refused.
    """
    if outcome == "unsent" or is_refused(status, reason):
        return 0
    return max(parts - refused_parts, 0)


@dataclass(frozen=True, slots=True)
class QuotaDay:
    """One day of Google's quota, `start` and `end` in seconds since 1970."""

    date: str
    start: float
    end: float

    def left_s(self, now: float) -> int:
        """Whole seconds until the quota starts anew."""
        return max(int(self.end - now), 0)


_day = QuotaDay("", 0.0, 0.0)


def quota_day(now: float) -> QuotaDay:
    """The quota day of a moment, in seconds since 1970. It has 23 or 25 hours when the clocks change."""
    global _day
    day = _day
    if not day.start <= now < day.end:
        date = datetime.fromtimestamp(now, _ZONE).date()
        _day = day = QuotaDay(date.isoformat(), _midnight(date), _midnight(date + timedelta(days=1)))
    return day


def _midnight(date: object) -> float:
    return datetime.fromisoformat(str(date)).replace(tzinfo=_ZONE).timestamp()
