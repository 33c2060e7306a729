"""Usage limits as Google counts them: per sliding minute for each project and each user of it, per Pacific day.

In: the project and user of a request, and a clock.
Out: leave to go on, or the usage-limit error Google answers with.
Never: a refused request counted (it used no quota).
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any

from calendar_sync.fake_google.clock import Clock
from calendar_sync.fake_google.errors import rate_limited


@dataclass(frozen=True)
class QuotaLimits:
    """What is allowed; None is no limit.

    Attributes:
        per_project_per_minute: requests of a project in a sliding window.
        per_user_per_minute: requests of one of its users in a sliding window.
        status: what an excess of these two is answered with, 403 or 429; Google uses both.
        per_project_per_day: requests of a project from midnight to midnight, Pacific time; an excess is 403.
        window_s: length of the sliding window in seconds, so that a test need not wait a minute.
        parts_per_batch: requests in one batch.

    Source of the defaults: Google Calendar API guides, "Manage quotas" (10,000 a minute and project, 600 a minute and
    user, 1,000,000 a day) and "Send batch requests", which named 50 (quoted in googleapis/google-api-dotnet-client
    issue 1621) before it named 1,000: what keeps to 50 works under either.
    """

    per_project_per_minute: int | None = 10_000
    per_user_per_minute: int | None = 600
    status: int = 403
    per_project_per_day: int | None = 1_000_000
    window_s: float = 60.0
    parts_per_batch: int | None = 50

    def __post_init__(self) -> None:
        if self.status not in {403, 429}:
            raise ValueError(f"quota status {self.status}: expected 403 or 429")
        if not self.window_s > 0:
            raise ValueError(f"quota window_s {self.window_s:g}: expected more than 0 seconds")


class Quota:
    """What was used of the limits. Thread-safe; `limits` may be replaced at any time."""

    def __init__(self, limits: QuotaLimits, clock: Clock | None = None) -> None:
        self.limits = limits
        self._clock = clock or Clock()
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], deque[float]] = {}
        self._day: dt.date | None = None
        self._used_today: dict[str, int] = {}

    def take(self, project: str, user: str) -> None:
        """Count one request of a project for a user: an account's ID, or what the request names as `quotaUser`.

        Raises ApiError `quotaExceeded` when the day's requests are used up, `userRateLimitExceeded` or
        `rateLimitExceeded` when the window is full.
        """
        with self._lock:
            today = self._today()
            now = self._clock.steady()
            own = self._window((project, user), now)
            whole = self._window((project,), now)
            if _full(self.limits.per_project_per_day, today.get(project, 0)):
                raise rate_limited(403, "quotaExceeded")
            if _full(self.limits.per_user_per_minute, len(own)):
                raise rate_limited(self.limits.status, "userRateLimitExceeded")
            if _full(self.limits.per_project_per_minute, len(whole)):
                raise rate_limited(self.limits.status, "rateLimitExceeded")
            own.append(now)
            whole.append(now)
            today[project] = today.get(project, 0) + 1

    def used(self) -> dict[str, int]:
        """Requests in the current window, by `project` and `project/user`."""
        with self._lock:
            now = self._clock.steady()
            return {"/".join(key): len(self._window(key, now)) for key in list(self._windows)}

    def usage(self) -> dict[str, Any]:
        """Requests in the current window and since the Pacific midnight, the latter by project."""
        minute = self.used()
        with self._lock:
            today = dict(self._today())
        return {"used_this_minute": minute, "used_today": today, "day": self._clock.quota_day().isoformat()}

    def _today(self) -> dict[str, int]:
        day = self._clock.quota_day()
        if day != self._day:
            self._day, self._used_today = day, {}
        return self._used_today

    def _window(self, key: tuple[str, ...], now: float) -> deque[float]:
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - self.limits.window_s:
            window.popleft()
        return window


def _full(limit: int | None, used: int) -> bool:
    return limit is not None and used >= limit
