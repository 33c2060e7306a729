"""A receiver for Alertmanager's webhook messages, to prove that alerts are delivered; and a dead man's switch.

In: POST requests with Alertmanager's JSON (https://prometheus.io/docs/alerting/latest/configuration/#webhook_config).
Out: deliveries in order of arrival, and, where asked for, one JSON line each in a file; an alarm when the messages to
/deadmansswitch cease. Never: anything but the standard library, because compose.yaml runs this file alone:
`python webhook.py --port 9099`.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

# Alertmanager cuts nothing by itself; a group of 1,000 alerts is about 1 MB.
MAX_BODY_BYTES = 16 * 1024 * 1024
DEADMANSSWITCH_PATH = "/deadmansswitch"
#: Four messages of PipelineAlive missed in a row (group_interval 30 s in loki/alertmanager.yml).
SILENCE_S = 120.0


@dataclass(frozen=True)
class Delivery:
    """One message: its time of arrival in nanoseconds since 1970, and the decoded JSON."""

    received_ns: int
    payload: dict[str, Any]

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts in it; each has `status`, `labels`, `annotations`, `startsAt`, `endsAt`, `generatorURL`."""
        return list(self.payload.get("alerts", ()))


class DeadMansSwitch:
    """Raises the alarm when nobody has called `beat` for `silence_s` seconds, and tells when somebody does again.

    Args:
        silence_s: seconds, counted from `start` or the last beat.
        on_change: told each change in a sentence, in a thread of its own or in that of the beat.
    """

    def __init__(self, silence_s: float = SILENCE_S, on_change: Callable[[str], None] | None = None) -> None:
        self._silence_s, self._on_change = silence_s, on_change
        self._last = time.monotonic()
        self._is_silent = self._is_stopped = False
        self._beats = 0
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._watch, name="deadmansswitch", daemon=True)

    @property
    def beats(self) -> int:
        """Signs of life so far."""
        return self._beats

    @property
    def is_silent(self) -> bool:
        """Whether the alarm is on."""
        return self._is_silent

    def start(self) -> None:
        """Count from now."""
        self._last = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Watch no more."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        self._thread.join()

    def beat(self) -> None:
        """A sign of life."""
        with self._changed:
            self._beats += 1
            silent_s = time.monotonic() - self._last
            self._last, was_silent = time.monotonic(), self._is_silent
            self._is_silent = False
            self._changed.notify_all()
        if was_silent:
            self._tell(f"PIPELINE ALIVE AGAIN: lines reach the alerts once more, after {silent_s:.0f} s without a sign")

    def _watch(self) -> None:
        with self._changed:
            while not self._is_stopped:
                left_s = self._last + self._silence_s - time.monotonic()
                if self._is_silent or left_s > 0:
                    self._changed.wait(None if self._is_silent else left_s)
                    continue
                self._is_silent = True
                self._tell(
                    f"PIPELINE SILENT: no PipelineAlive for {self._silence_s:.0f} s. Log lines no longer reach the "
                    "alerts, so none can fire: see docs/runbooks/PipelineAlive.md"
                )

    def _tell(self, sentence: str) -> None:
        if self._on_change is not None:
            self._on_change(sentence)


class WebhookReceiver:
    """Listens from `start` to `stop`; usable as a context manager.

    Args:
        port: 0 lets the system choose; see `url`.
        file: each delivery is appended to it as {"received_ns": …, "payload": …}.
        on_delivery: called in the receiving thread.
        host: the address to listen on.
        switch: is given a beat for each message to `deadmansswitch_url`, which is no delivery.
    """

    def __init__(
        self,
        port: int = 0,
        file: Path | None = None,
        on_delivery: Callable[[Delivery], None] | None = None,
        host: str = "127.0.0.1",
        switch: DeadMansSwitch | None = None,
    ) -> None:
        self._wanted = (host, port)
        self._switch = switch
        self._file, self._on_delivery = file, on_delivery
        self._deliveries: list[Delivery] = []
        self._arrived = threading.Condition()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            raise RuntimeError("the webhook receiver is not started")
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """The address for Alertmanager's webhook_configs."""
        return f"http://{self._wanted[0]}:{self.port}/alerts"

    @property
    def deadmansswitch_url(self) -> str:
        """The address for the receiver of PipelineAlive."""
        return f"http://{self._wanted[0]}:{self.port}{DEADMANSSWITCH_PATH}"

    @property
    def deliveries(self) -> tuple[Delivery, ...]:
        """Everything received so far."""
        with self._arrived:
            return tuple(self._deliveries)

    def wait_for(
        self, matches: Callable[[dict[str, Any]], bool], timeout_s: float
    ) -> tuple[Delivery, dict[str, Any]] | None:
        """The first delivered alert that matches, with its delivery; None when none came within `timeout_s`."""
        end = time.monotonic() + timeout_s
        with self._arrived:
            while True:
                for delivery in self._deliveries:
                    for alert in delivery.alerts:
                        if matches(alert):
                            return delivery, alert
                if not self._arrived.wait(end - time.monotonic()):
                    return None

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        self._server = ThreadingHTTPServer(self._wanted, self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="webhook", daemon=True)
        self._thread.start()
        if self._switch is not None:
            self._switch.start()

    def stop(self) -> None:
        """Close the port; what was received stays."""
        if self._server is not None and self._thread is not None:
            if self._switch is not None:
                self._switch.stop()
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _receive(self, payload: dict[str, Any]) -> None:
        delivery = Delivery(time.time_ns(), payload)
        with self._arrived:
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as stream:
                    stream.write(json.dumps({"received_ns": delivery.received_ns, "payload": payload}) + "\n")
            self._deliveries.append(delivery)
            self._arrived.notify_all()
        if self._on_delivery is not None:
            self._on_delivery(delivery)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receive, switch = self._receive, self._switch

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if length > MAX_BODY_BYTES:
                    self.send_error(413)
                    return
                try:
                    payload = json.loads(self.rfile.read(length))
                    if not isinstance(payload, dict):
                        raise ValueError("expected a JSON object")  # noqa: TRY004 answered like any other body that cannot be read
                except ValueError as error:
                    self.send_error(400, explain=str(error))
                    return
                if self.path != DEADMANSSWITCH_PATH:
                    receive(payload)
                elif switch is not None:
                    switch.beat()
                self.send_response(204)
                self.end_headers()

            def do_GET(self) -> None:
                """For a check from another machine: 503 while the alarm is on."""
                if switch is None or self.path != DEADMANSSWITCH_PATH:
                    self.send_error(404)
                    return
                self.send_response(503 if switch.is_silent else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing: the terminal belongs to the program that started the receiver."""

        return Handler


def describe(delivery: Delivery) -> list[str]:
    """One line per alert, for a terminal."""
    return [
        f"{alert.get('status', '?'):8} {alert.get('labels', {}).get('alertname', '?')}"
        f"  {alert.get('annotations', {}).get('summary', '')}"
        for alert in delivery.alerts
    ]


def main() -> None:
    """Print every alert that arrives, and every change of the dead man's switch, until interrupted."""
    parser = argparse.ArgumentParser(description="Print the alerts that Alertmanager sends to its webhook receiver.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9099)
    parser.add_argument("--silence", type=float, default=SILENCE_S, help="seconds without PipelineAlive")
    options = parser.parse_args()

    def say(*lines: str) -> None:
        sys.stdout.write("".join(line + "\n" for line in lines))
        sys.stdout.flush()

    def show(delivery: Delivery) -> None:
        say(*describe(delivery))

    switch = DeadMansSwitch(options.silence, say)
    with WebhookReceiver(options.port, on_delivery=show, host=options.host, switch=switch):
        threading.Event().wait()


if __name__ == "__main__":
    main()
