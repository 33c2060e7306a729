"""The receiver that proves an alert's delivery."""

from __future__ import annotations

import json
import queue
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from logging_pkg.stack import webhook
from logging_pkg.stack.webhook import MAX_BODY_BYTES, DeadMansSwitch, Delivery, WebhookReceiver, describe

PAYLOAD = {
    "status": "firing",
    "alerts": [{"status": "firing", "labels": {"alertname": "SlowRoute"}, "annotations": {"summary": "slow"}}],
}


def test_delivery_is_kept_with_its_time_and_written_to_the_file(tmp_path: Path) -> None:
    """In memory, in the file and to the callback."""
    seen: list[Delivery] = []
    file = tmp_path / "alerts.ndjson"
    with WebhookReceiver(file=file, on_delivery=seen.append) as receiver:
        assert requests.post(receiver.url, json=PAYLOAD).status_code == 204
        found = receiver.wait_for(lambda alert: alert["labels"]["alertname"] == "SlowRoute", 5)
    assert found is not None
    delivery, alert = found
    assert alert == PAYLOAD["alerts"][0]
    assert seen == [delivery] == list(receiver.deliveries)
    assert json.loads(file.read_text()) == {"received_ns": delivery.received_ns, "payload": PAYLOAD}
    assert describe(delivery) == ["firing   SlowRoute  slow"]


def test_waiting_for_an_alert_that_does_not_come_ends() -> None:
    """None after the timeout, also when other alerts came."""
    with WebhookReceiver() as receiver:
        requests.post(receiver.url, json=PAYLOAD)
        assert receiver.wait_for(lambda alert: False, 0.05) is None


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff"])
def test_body_that_is_not_a_message_is_refused(body: bytes) -> None:
    """400, and nothing is recorded."""
    with WebhookReceiver() as receiver:
        assert requests.post(receiver.url, data=body).status_code == 400
        assert receiver.deliveries == ()


def test_body_that_is_too_long_is_refused_unread() -> None:
    """413 by the announced length."""
    with WebhookReceiver() as receiver, socket.create_connection(("127.0.0.1", receiver.port)) as connection:
        connection.sendall(f"POST /alerts HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode())
        assert b" 413 " in connection.recv(100)


def test_port_is_known_only_while_started() -> None:
    """Asking for the address before the start is an error, not port 0."""
    with pytest.raises(RuntimeError, match="not started"):
        _ = WebhookReceiver().url


def test_file_runs_alone() -> None:
    """As in compose.yaml: without the package, printing a line per alert."""
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", webhook.__file__, "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        session = requests.Session()
        session.mount(
            "http://",
            requests.adapters.HTTPAdapter(
                max_retries=requests.adapters.Retry(connect=30, backoff_factor=0.05, allowed_methods=None)
            ),
        )
        session.post(f"http://127.0.0.1:{port}/alerts", json=PAYLOAD)
        assert process.stdout is not None
        assert process.stdout.readline() == "firing   SlowRoute  slow\n"
    finally:
        process.kill()
        process.communicate()


def test_switch_raises_the_alarm_once_and_tells_of_the_next_sign_of_life() -> None:
    """Silence after the start and after a beat alike; while beats come, not a word."""
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()
    switch = DeadMansSwitch(0.3, heard.put)
    with WebhookReceiver(switch=switch) as receiver:
        assert requests.get(receiver.deadmansswitch_url).status_code == 200
        assert heard.get(timeout=5).startswith("PIPELINE SILENT: no PipelineAlive for 0 s")
        assert switch.is_silent
        assert requests.get(receiver.deadmansswitch_url).status_code == 503
        for _ in range(10):
            requests.post(receiver.deadmansswitch_url, json=PAYLOAD)
            time.sleep(0.05)
        assert heard.get(timeout=5).startswith("PIPELINE ALIVE AGAIN")
        assert heard.empty()
        assert (switch.beats, switch.is_silent) == (10, False)
        assert heard.get(timeout=5).startswith("PIPELINE SILENT")
        assert receiver.deliveries == ()  # a sign of life is no alert


def test_without_a_switch_signs_of_life_are_taken_and_forgotten() -> None:
    """No delivery; nobody can ask for the state of what is not there."""
    with WebhookReceiver() as receiver:
        assert requests.post(receiver.deadmansswitch_url, json=PAYLOAD).status_code == 204
        assert requests.get(receiver.deadmansswitch_url).status_code == 404
        assert receiver.deliveries == ()
