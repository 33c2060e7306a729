"""`logpipe probe`, as it is run: once, and again and again until it is told to stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from logging_pkg.testing import assert_valid_stream
from tests.cli.command import LOGPIPE, logpipe


class Service:
    """A health page whose status can be changed; remembers the correlation IDs it was told."""

    def __init__(self) -> None:
        self.status = 200
        self.heard: list[str] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service.heard.append(self.headers["X-Correlation-ID"])
                self.send_response(service.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/healthz"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def service() -> Iterator[Service]:
    running = Service()
    yield running
    running.stop()


def events(directory: Path) -> list[dict[str, Any]]:
    (file,) = directory.glob("*.ndjson")
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_once_says_what_came_and_exits_by_it(service: Service, tmp_path: Path) -> None:
    """0 when all are up, 1 when one is not; the events are written either way, valid, each a cause of its own."""
    up = logpipe("probe", "--once", "--directory", tmp_path / "a", f"shop={service.url}")
    assert (up.returncode, up.stderr) == (0, "")
    assert up.stdout.startswith("shop: up, status 200, ")
    service.status = 503
    down = logpipe("probe", "--once", "--directory", tmp_path / "b", f"shop={service.url}", f"api={service.url}?x=1")
    assert down.returncode == 1
    assert [line.rpartition(", ")[0] for line in down.stdout.splitlines()] == [
        "shop: wrong status, status 503",
        "api: wrong status, status 503",
    ]
    for name in ("a", "b"):
        (file,) = (tmp_path / name).glob("logpipe-probe-*.ndjson")
        assert_valid_stream(file)
    written = events(tmp_path / "b")
    assert {event["check"] for event in written} == {"shop", "api"}
    assert {event["url"] for event in written} == {service.url}
    assert {event["level"] for event in written} == {"error"}
    assert {event["correlation_id"] for event in written} == set(service.heard[1:])


def test_it_goes_on_until_it_is_told_to_stop(service: Service, tmp_path: Path) -> None:
    """A check each interval; SIGTERM ends it with exit code 0 and nothing torn."""
    command = [*LOGPIPE, "probe", "--interval", "1", "--directory", str(tmp_path), f"shop={service.url}"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("LOGPIPE_")}
    process = subprocess.Popen(command, env=environ)
    try:
        end = time.monotonic() + 30
        while len(service.heard) < 3 and time.monotonic() < end:
            time.sleep(0.05)
    finally:
        process.send_signal(signal.SIGTERM)
    assert process.wait(15) == 0
    written = events(tmp_path)
    assert len(written) >= 3
    assert {(event["is_up"], event["interval_s"]) for event in written} == {(1, 1.0)}
    starts = [int(event["correlation_id"][:12], 16) for event in written]
    assert all(later - earlier > 900 for earlier, later in pairwise(starts))


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["shop"], "no address"),
        (["--interval", "61", "http://x/"], "less than or equal to 60"),
        (["--service-name", "A", "http://x/"], "'A'"),
    ],
)
def test_wrong_arguments_are_said_in_a_line(arguments: list[str], problem: str) -> None:
    """Exit code 1 or 2, and what was wrong."""
    done = logpipe("probe", "--once", *arguments)
    assert done.returncode in {1, 2}
    assert problem in done.stderr


def test_the_help_tells_the_defaults() -> None:
    """30 s between two checks, 10 s for one: what HealthCheckFailed counts on."""
    done = subprocess.run(
        [sys.executable, "-m", "logging_pkg.cli", "probe", "--help"], capture_output=True, text=True, timeout=60
    )
    assert "30" in done.stdout
    assert "10" in done.stdout
