"""The demonstration, as a new user runs it. Minutes long: `make test-long`; CI runs it once as `make demo`.

In: nothing. Out: its exit code and report. Never: a process left behind.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "Requests",
    "Google Calendar",
    "Syncs",
    "Cache  ",
    "Recording rules",
    "Alerts",
    "AppDown",
    "Explained",
    "One story",
    "Dashboards",
    "Completeness",
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]


def run_of(text: str) -> set[int]:
    """Processes whose command line or environment names this text (Linux)."""
    found = set()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        except OSError:
            continue
        if text.encode() in told and int(process.name) != os.getpid():
            found.add(int(process.name))
    return found


@pytest.mark.parametrize("time_of_running", ["first", "second"])
def test_the_demonstration_has_every_part_and_leaves_nothing_running(time_of_running: str) -> None:
    """Exit code 0, every part in the report, nothing lost, and no process of it afterwards; twice in a row."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    marker = f"DEMO_TEST={os.getpid()}-{time_of_running}"
    environ |= dict([marker.split("=")])
    done = subprocess.run(
        [sys.executable, "-m", "calendar_sync.demo"],
        cwd=ROOT, env=environ, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert [part for part in PARTS if part not in done.stdout] == []
    assert "0 lost · 0 twice" in done.stdout
    assert "0 orphans" in done.stdout
    assert run_of(marker) == set()
