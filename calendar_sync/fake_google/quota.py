"""Usage limits as Google counts them: per minute and project, per minute, project and user, in sliding windows.

In: the project and account of a request, and a clock.
Out: leave to go on, or the usage-limit error Google answers with.
Never: a rejected request counted against the window (it used no quota).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from calendar_sync.fake_google.messages import rate_limited

WINDOW_S = 60.0


@dataclass(frozen=True)
class QuotaLimits:
    """Requests allowed per sliding minute; None is no limit. `status` is what an excess is answered with: 403 or 429.

    Source of the defaults: Google Calendar API, "Manage quotas" (10,000 per project, 600 per user and project).
    """

    per_project_per_minute: int | None = 10_000
    per_user_per_minute: int | None = 600
    status: int = 403

    def __post_init__(self) -> None:
        if self.status not in {403, 429}:
            raise ValueError(f"quota status {self.status}: expected 403 or 429")


class Quota:
    """Sliding windows of the requests let through. Thread-safe."""

    def __init__(self, limits: QuotaLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, ...], deque[float]] = {}

    def take(self, project: str, account_id: str) -> None:
        """Count one request, or raise ApiError `userRateLimitExceeded` / `rateLimitExceeded`."""
        with self._lock:
            now = self._clock()
            user = self._window((project, account_id), now)
            whole = self._window((project,), now)
            if self.limits.per_user_per_minute is not None and len(user) >= self.limits.per_user_per_minute:
                raise rate_limited(self.limits.status, "userRateLimitExceeded")
            if self.limits.per_project_per_minute is not None and len(whole) >= self.limits.per_project_per_minute:
                raise rate_limited(self.limits.status, "rateLimitExceeded")
            user.append(now)
            whole.append(now)

    def used(self) -> dict[str, int]:
        """Requests in the current window, by `project` and `project/account`."""
        with self._lock:
            now = self._clock()
            return {"/".join(key): len(self._window(key, now)) for key in list(self._windows)}

    def _window(self, key: tuple[str, ...], now: float) -> deque[float]:
        window = self._windows.setdefault(key, deque())
        while window and window[0] <= now - WINDOW_S:
            window.popleft()
        return window
