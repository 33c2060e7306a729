"""The dead man's switch behind real servers: quiet while lines arrive, loud when Loki is killed, quiet again.

The committed rules and configuration with shorter times; as they are shipped they are on the clock in tests/e2e/test_alert_delivery.py.
"""

from __future__ import annotations

import queue
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

from logging_pkg.exceptions import LokiError
from logging_pkg.loki_client import LokiClient
from logging_pkg.stack import DeadMansSwitch, Stack, WebhookReceiver
from tests.pipeline.events import line, push

ROOT = Path(__file__).resolve().parents[2]
SILENCE_S = 6.0


def send_heartbeats(loki_url: str, stopping: threading.Event) -> None:
    """One each half second; half a minute old, since rules look no nearer."""
    with LokiClient(loki_url) as client:
        while not stopping.wait(0.5):
            try:
                push(client, [line("process.sampled", "beating", time.time_ns() // 1000 * 1000 - 31 * 10**9)])
            except LokiError:
                pass  # killed for a while


@pytest.mark.usefixtures("stack_binaries")
def test_a_killed_loki_is_told_of_and_so_is_its_return(tmp_path: Path) -> None:
    """Not a word before; one sentence each; no message of it reaches the receiver of alerts."""
    config = tmp_path / "loki"
    shutil.copytree(ROOT / "loki", config)
    rules, alertmanager = config / "rules" / "uptime_alerts.yaml", config / "alertmanager.yml"
    rules.write_text(re.sub(r"interval: 15s", "interval: 1s", rules.read_text()))
    text = alertmanager.read_text()
    assert "repeat_interval: 25s" in text
    alertmanager.write_text(
        text.replace("group_interval: 30s", "group_interval: 1s").replace(
            "repeat_interval: 25s", "repeat_interval: 500ms"
        )
    )
    for path in (config / "rules").iterdir():
        if path != rules:
            path.unlink()
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    switch, stopping = DeadMansSwitch(SILENCE_S, said.put), threading.Event()
    with (
        WebhookReceiver(switch=switch) as receiver,
        Stack(
            servers=("alertmanager", "loki"),
            config_directory=config,
            rules_directory=config / "rules",
            webhook_url=receiver.url,
            deadmansswitch_url=receiver.deadmansswitch_url,
            # Alertmanager takes an alert as over four of these after its last message.
            loki_changes={"ruler": {"resend_delay": "1s"}},
        ) as stack,
    ):
        beating = threading.Thread(target=send_heartbeats, args=(stack.loki_url, stopping))
        beating.start()
        try:
            end = time.monotonic() + 60
            while switch.beats < 2 * SILENCE_S and time.monotonic() < end:
                time.sleep(0.1)
            assert switch.beats >= 2 * SILENCE_S
            while not said.empty():  # the servers may have taken longer to start than the switch waits
                assert said.get().startswith(("PIPELINE SILENT", "PIPELINE ALIVE AGAIN"))
            assert not switch.is_silent
            stack.kill("loki")
            killed = time.monotonic()
            assert said.get(timeout=60).startswith("PIPELINE SILENT")
            assert time.monotonic() - killed >= SILENCE_S / 2
            stack.start("loki")
            assert said.get(timeout=60).startswith("PIPELINE ALIVE AGAIN")
        finally:
            stopping.set()
            beating.join()
        assert said.empty()
        assert receiver.deliveries == ()
