"""A real Loki that is paused or killed in the middle of shipping."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from logging_pkg.loki_client import LokiClient
from logging_pkg.shipper import RetryPolicy
from tests.shipper.support import EventFile, assert_each_stored_once, eventually, new_service, shipping

if TYPE_CHECKING:
    from logging_pkg.stack import Binary, Stack


@pytest.fixture
def own_loki(stack_binaries: dict[str, Binary]) -> Iterator[Stack]:
    """A Loki that may be hurt."""
    from logging_pkg.stack import Stack

    with Stack(servers=("loki",)) as stack:
        yield stack


def test_a_paused_loki_stores_nothing_twice(own_loki: Stack, tmp_path: Path) -> None:
    """Pushes given up while Loki is paused lie in its sockets; it carries them out when it goes on, before we ask."""
    file = EventFile(tmp_path / "logs", new_service())
    file.write(2000)
    pid = own_loki.pid("loki")
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    patience = RetryPolicy(first_delay_s=0.05, max_delay_s=0.2, settle_s=1.0)
    try:
        with shipping(file.directory, own_loki.loki_url, timeout_s=0.5, batch_bytes=300_000, retry=patience) as (
            shipper,
            told,
        ):
            resume = threading.Timer(2.0, os.kill, (pid, signal.SIGCONT))
            resume.start()
            assert shipper.drain(60)
            resume.join()
    finally:
        os.kill(pid, signal.SIGCONT)
    with LokiClient(own_loki.loki_url) as client:
        assert_each_stored_once(client, file.service, file.event_ids)
    assert told.total("push_error_count") >= 1


def test_a_loki_killed_and_started_again_loses_and_repeats_nothing(own_loki: Stack, tmp_path: Path) -> None:
    """What was acknowledged is in Loki's write-ahead log, what was not is asked for, and sent if it is not there."""
    file = EventFile(tmp_path / "logs", new_service())
    file.write(20_000)
    with shipping(file.directory, own_loki.loki_url, batch_bytes=300_000) as (shipper, told):
        thread = threading.Thread(target=shipper.run)
        thread.start()
        try:
            for share in (0.2, 0.5):
                eventually(
                    lambda share=share: sum(shipper._tail.shipped.values()) > share * file.path.stat().st_size,
                    "progress",
                )
                own_loki.kill("loki")
                own_loki.restart("loki")
            eventually(lambda: sum(shipper._tail.shipped.values()) == file.path.stat().st_size, "all shipped", 60)
        finally:
            shipper.stop()
            thread.join(30)
    with LokiClient(own_loki.loki_url) as client:
        assert_each_stored_once(client, file.service, file.event_ids)
    assert "shipping again" in told.notices
