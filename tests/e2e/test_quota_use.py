"""Several workers and one quota: nearly all of it is used, and hardly ever more.

In: four worker processes with always something to do, a fake Google that counts in sliding minutes. Out: assertions on
the server's ledger. Never: a shorter minute; these are Google's.
"""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from tests.e2e.fleet import Fleet

LIMIT = 600
WORKERS = 4
#: Whole minutes that are measured, after the first burst.
MINUTES = 2


@pytest.mark.long
def test_four_workers_use_the_quota_and_stay_under_it(tmp_path: Path) -> None:
    """Of 600 requests a minute at least 95 % are made, and less than 1 % of the requests are refused."""
    options = f"--project-quota {LIMIT} --user-quota 0"
    with Fleet(
        tmp_path, options, GOOGLE_PAGE_SIZE="5", GOOGLE_QUOTA_PER_MINUTE=str(LIMIT), GOOGLE_QUOTA_PER_USER_MINUTE="0"
    ) as fleet:
        fleet.manage("migrate", "--verbosity", "0")
        fleet.manage("seed_demo")
        for _ in range(WORKERS):
            fleet.start_worker(0.2)
        _wait_busy(fleet, 30)
        begin_ns = time.time_ns()
        _wait_busy(fleet, MINUTES * 60)
        end_ns = time.time_ns()
        ledger = [entry for entry in fleet.control.ledger() if begin_ns <= entry["time_ns"] < end_ns]
        fleet.stop_workers()
    statuses = Counter(entry["status"] for entry in ledger)
    used = sum(entry["quota_units"] for entry in ledger)
    allowed = LIMIT * (end_ns - begin_ns) / 60e9
    refused = sum(1 for entry in ledger if entry["reason"] in {"rateLimitExceeded", "userRateLimitExceeded"})
    print(f"{used} of {allowed:.0f} used: {used / allowed:.1%}; {refused} of {len(ledger)} refused; {dict(statuses)}")
    assert used >= 0.95 * allowed
    assert refused < 0.01 * len(ledger)


def _wait_busy(fleet: Fleet, seconds: float) -> None:
    """Let time pass while there is always something to fetch in full."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        fleet.control.expire_sync_tokens()
        time.sleep(1)
