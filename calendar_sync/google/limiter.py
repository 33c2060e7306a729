"""A token bucket that all processes share, so that together they stay under Google's quota.

In: which project and account a request is for. Out: the moment from which it may be sent, and the wait until then.
Never: a lock held while somebody waits, a query that reads.

The bucket is kept as one number per quota, the time at which it is next free (the generic cell rate algorithm: ITU-T
I.371, "virtual scheduling"). A request takes its turn with one UPDATE, which the database makes atomic; turns are given
out in the order in which they are asked for. With a burst of B and one turn every W / (L - B) seconds no window of W
seconds has more than L turns. A batch is sent at its last unit's turn; of a batch above B the excess is kept free once
more behind it, or a window that begins with it would hold that much too many.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from calendar_sync.google.errors import RateLimited
from calendar_sync.models import RequestTurn

#: Of the limit: what may be sent at once after a pause, and what is left for requests that are overtaken on their way.
BURST_SHARE, MARGIN_SHARE = 0.02, 0.01

#: Later than any turn, and finite, as the database wants it.
_NEVER = 1e18

_TABLE = RequestTurn._meta.db_table
_TAKE = f"""
    UPDATE {_TABLE} SET free_at = CASE WHEN free_at > %s THEN free_at ELSE %s END + %s
    WHERE quota = %s AND free_at <= %s RETURNING free_at
"""  # noqa: S608  (the table's name is the model's)
_POSTPONE = f"UPDATE {_TABLE} SET free_at = %s WHERE quota = %s AND free_at < %s"  # noqa: S608


@dataclass(frozen=True)
class Quota:
    """One limit: `limit` units in any `window_s` seconds. `name` is the same in every process."""

    name: str
    limit: int
    window_s: float = 60.0

    @property
    def burst(self) -> float:
        """Units that may be sent at once, at least 1."""
        return max(1.0, self.limit * BURST_SHARE)

    @property
    def interval_s(self) -> float:
        """Seconds from turn to turn while the bucket is empty."""
        return self.window_s / max(1.0, self.limit * (1 - MARGIN_SHARE) - self.burst)


def quotas_of(account_id: str) -> list[Quota]:
    """The limits that a request for an account counts against; a setting of 0 is no limit.

    The account's own comes first: a request that is refused there has taken nothing that others share.
    """
    project, window_s = settings.GOOGLE_PROJECT, settings.GOOGLE_QUOTA_WINDOW_S
    limits = {
        f"{project}/{account_id}": settings.GOOGLE_QUOTA_PER_USER_MINUTE,
        f"{project}": settings.GOOGLE_QUOTA_PER_MINUTE,
    }
    return [Quota(name, limit, window_s) for name, limit in limits.items() if limit]


def take_turn(
    quotas: list[Quota],
    units: int = 1,
    *,
    patience_s: float = float("inf"),
    clock: Callable[[], float] = time.time,
) -> float:
    """Take the next turn of every quota; returns the seconds to wait before sending.

    Args:
        quotas: what the request counts against.
        units: as how many it counts, at most the smallest limit.
        patience_s: the longest wait that is acceptable.
        clock: seconds since the epoch, the same for all processes.

    Raises:
        RateLimited: it would be longer; no turn of that quota was taken, nor of those behind it.
        ValueError: a limit is smaller than `units`.
    """
    now = clock()
    wait_s = 0.0
    for quota in quotas:
        if units > quota.limit:
            raise ValueError(f"{units} units at once, expected at most {quota.limit}: the limit of {quota.name}")
        # The first of a burst takes the turn that would have ended the burst by now, had it been used.
        earliest = now - (quota.burst - 1) * quota.interval_s
        last_s = (units - 1) * quota.interval_s
        step_s = (units + max(0.0, units - quota.burst)) * quota.interval_s
        free_at = _take(quota, earliest, step_s, now + patience_s - last_s)
        if free_at is None:
            raise RateLimited(
                f"the quota {quota.name} ({quota.limit} in {quota.window_s:g} s) is used up for more than the next "
                f"{patience_s:g} s by this application itself; try again later"
            )
        wait_s = max(wait_s, free_at - step_s + last_s - now)
    return wait_s


def postpone(quotas: list[Quota], seconds: float, *, clock: Callable[[], float] = time.time) -> None:
    """Google has refused a request: whoever shares the quota waits so long before the next, a window at most."""
    for quota in quotas:
        until = clock() + min(seconds, quota.window_s)
        with connection.cursor() as cursor:
            cursor.execute(_POSTPONE, [until, quota.name, until])


def _take(quota: Quota, earliest: float, step: float, latest: float) -> float | None:
    """When the quota is free again after this turn; None where its turn would begin after `latest`."""
    latest = min(latest, _NEVER)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(_TAKE, [earliest, earliest, step, quota.name, latest])
            row = cursor.fetchone()
        if row is not None:
            return float(row[0])
        # The turn is too late, or the quota's first; another process may have just taken that.
        free_at = RequestTurn.objects.filter(quota=quota.name).values_list("free_at", flat=True).first()
        if free_at is None:
            RequestTurn.objects.bulk_create([RequestTurn(quota=quota.name, free_at=earliest)], ignore_conflicts=True)
        elif free_at > latest:
            return None
