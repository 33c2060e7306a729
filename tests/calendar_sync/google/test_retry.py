"""RetryPolicy: how long is waited, and when it is given up."""

from __future__ import annotations

import pytest

from calendar_sync.google import RetryPolicy


@pytest.mark.parametrize(("attempt", "longest"), [(1, 0.5), (2, 1.0), (3, 2.0), (7, 10.0)])
def test_the_window_doubles_up_to_its_limit(attempt, longest):
    """Full jitter: anything from 0 to base * 2^(n-1), at most the maximum."""
    policy = RetryPolicy(max_attempts=10, base_s=0.5, max_s=10.0)
    delays = [policy.delay_s(attempt, None) for _ in range(300)]

    assert 0 <= min(delays) < longest / 4
    assert longest * 3 / 4 < max(delays) <= longest


def test_clients_sent_away_together_come_back_apart():
    """Jitter is added to what the server asks for, never taken from it."""
    delays = {RetryPolicy().delay_s(1, 5.0) for _ in range(20)}

    assert len(delays) > 1
    assert min(delays) >= 5.0


def test_the_last_attempt_is_not_followed_by_a_wait():
    """After max_attempts there is no delay, whatever the server asked for."""
    assert RetryPolicy(max_attempts=3).delay_s(3, None) is None
    assert RetryPolicy(max_attempts=3).delay_s(3, 1.0) is None
