"""When a failed request is sent again, and after how long.

In: a request of google-api-python-client, and turns under the quota.
Out: its answer, or the last failure as a GoogleError.
Never: an attempt without its turn, more than the policy's attempts, or a wait shorter than the server asked for.

Source: Google Calendar API guide, "Use exponential backoff"; full jitter as in Brooker, "Exponential Backoff And
Jitter".
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from google.auth.exceptions import GoogleAuthError
from googleapiclient.errors import HttpError

from calendar_sync.google.errors import TRANSPORT_ERRORS, ApiUnavailable, RateLimited, translated


class RetryableRequest(Protocol):
    """`InstrumentedHttpRequest`, as far as retrying knows it: each further `execute` is one more attempt."""

    retry_delay_s: float | None
    quota_delay_s: float | None

    @property
    def methodId(self) -> str | None: ...  # noqa: N802 (the library's name)

    def execute(self) -> Any: ...


@dataclass(frozen=True)
class RetryPolicy:
    """At most `max_attempts` attempts; before attempt n + 1 a wait of up to `base_s` * 2^(n - 1), at most `max_s`."""

    max_attempts: int = 5
    base_s: float = 0.5
    max_s: float = 32.0

    def delay_s(self, attempt: int, retry_after_s: float | None) -> float | None:
        """What to wait after attempt number `attempt` failed, in seconds; None to give up.

        What the server asks for is waited in full, and a little more so that clients sent away together do not come
        back together. If it asks for more than `max_s`, the caller's time is better spent elsewhere: give up.
        """
        if attempt >= self.max_attempts:
            return None
        if retry_after_s is None:
            return random.uniform(0, min(self.max_s, self.base_s * 2 ** (attempt - 1)))
        return retry_after_s + random.uniform(0, self.base_s) if retry_after_s <= self.max_s else None


def execute(
    request: RetryableRequest,
    policy: RetryPolicy,
    sleep: Callable[[float], object],
    turn: Callable[[float | None], float] = lambda _: 0.0,
) -> Any:
    """The request's answer. Raises GoogleError: at once when a retry would not help, else after the last attempt.

    Args:
        request: what to execute.
        policy: how often, and after how long.
        sleep: waits so many seconds.
        turn: takes the turn of one more attempt under the quota, and tells the seconds until it; it is told how long
            to keep away where Google has just refused an attempt because of the quota, None where it has not.
    """
    operation = str(request.methodId).removeprefix("calendar.")
    attempt, delay_s = 1, 0.0
    refused_for_s: float | None = None
    while True:
        wait_s = max(delay_s, turn(refused_for_s))
        if wait_s > 0:
            sleep(wait_s)
        if attempt > 1:
            request.retry_delay_s = delay_s
        if wait_s > delay_s:
            request.quota_delay_s = wait_s - delay_s
        try:
            return request.execute()
        except (HttpError, GoogleAuthError, *TRANSPORT_ERRORS) as error:
            failure = translated(error, operation)
            retry_s = None
            if isinstance(failure, ApiUnavailable):
                retry_s = policy.delay_s(attempt, failure.retry_after_s)
            if retry_s is None:
                raise failure from error
            delay_s = retry_s
            refused_for_s = retry_s if isinstance(failure, RateLimited) else None
        attempt += 1
