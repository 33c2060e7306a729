"""A large backlog, shipped by a process that is killed again and again. Minutes long: `make test-long`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import Stack
from tests.shipper.support import EventFile, assert_each_stored_once, drain, eventually, new_service, start_command

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]
EVENTS = 200_000
ROTATE_AT = 50_000
KILLS = 3


@pytest.fixture
def backlog(tmp_path: Path) -> EventFile:
    file = EventFile(tmp_path / "logs", new_service(), start=datetime.now(UTC) - timedelta(minutes=30))
    for _ in range(EVENTS // ROTATE_AT):
        file.write(ROTATE_AT)
        file.rotate()
    return file


def test_three_kills_during_200_000_events_lose_and_repeat_nothing(backlog: EventFile, loki_server: Stack) -> None:
    """At-least-once shipping counted 336,000 of such a backlog; here metric queries count each event once."""
    checkpoint = backlog.directory / ".shipped.json"
    for _ in range(KILLS):
        before = checkpoint.read_bytes() if checkpoint.exists() else b""
        process = start_command(backlog.directory, loki_server.loki_url)
        eventually(lambda seen=before: checkpoint.exists() and checkpoint.read_bytes() != seen, "progress", 120)
        process.kill()
        process.communicate()
    drain(backlog.directory, loki_server.loki_url)
    with LokiClient(loki_server.loki_url, timeout_s=120) as client:
        assert_each_stored_once(client, backlog.service, backlog.event_ids)
