"""The time the server lives in, so that a test can move it.

In: two functions that tell the time; the machine's own when none are given.
Out: seconds since the epoch, steady seconds, Google's quota day.
Never: waiting.
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

# Daily quotas start anew at midnight Pacific time. Source: Google Calendar API guide, "Manage quotas".
_QUOTA_ZONE = ZoneInfo("America/Los_Angeles")


@dataclass(frozen=True)
class Clock:
    """`epoch` tells seconds since 1970, which may jump with the machine's clock; `steady` seconds that only rise."""

    epoch: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic

    def now(self) -> dt.datetime:
        """The present, in UTC."""
        return dt.datetime.fromtimestamp(self.epoch(), dt.UTC)

    def quota_day(self) -> dt.date:
        """The Pacific day whose daily quota is being used."""
        return dt.datetime.fromtimestamp(self.epoch(), _QUOTA_ZONE).date()
