"""Stuck requests and orphaned work, behind real servers: gunicorn with its time-out, uvicorn with clients that hang up."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.writer.support import events_so_far

ROOT = Path(__file__).resolve().parents[2]
SITE = "tests/django/live_site.py"
STUCK, FINISHED, ORPHANED = "http.request_stuck", "http.request_finished", "http.orphaned_work_detected"
GUNICORN = [
    "gunicorn",
    "tests.django.live_site:wsgi",
    "--bind",
    "127.0.0.1:0",
    "--timeout",
    "2",
    "--graceful-timeout",
    "1",
]
UVICORN = ["uvicorn", "tests.django.live_site:asgi", "--port", "0", "--lifespan", "off"]


class Server:
    """A running server and the events it has written."""

    def __init__(self, process: subprocess.Popen[bytes], directory: Path) -> None:
        self.process = process
        self.directory = directory
        self.log = directory / "server.log"
        found = self.wait_for(lambda: re.search(r"http://127\.0\.0\.1:(\d+)", self.output()))
        self.port = int(found[1])

    def output(self) -> str:
        return self.log.read_text()

    def wait_for(self, look: Callable[[], Any]) -> Any:
        """What `look` finds, within 30 s."""
        deadline = time.monotonic() + 30
        while not (found := look()) and time.monotonic() < deadline:
            assert self.process.poll() is None, self.output()
            time.sleep(0.02)
        assert found, (self.output(), self.events())
        return found

    def events(self, name: str | None = None, **fields: Any) -> list[dict[str, Any]]:
        return [
            event
            for event in events_so_far(self.directory / "logs")
            if (name is None or event["event"] == name) and all(event[key] == value for key, value in fields.items())
        ]

    def event(self, name: str, **fields: Any) -> dict[str, Any]:
        """The first of its kind, waited for."""
        found: dict[str, Any] = self.wait_for(lambda: self.events(name, **fields))[0]
        return found

    def ask(self, path: str) -> socket.socket:
        """Send a request and do not wait for its answer."""
        client = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        return client

    def get(self, path: str) -> None:
        """Send a request and see it answered."""
        with self.ask(path) as client:
            assert client.recv(1000).startswith(b"HTTP/1.1 200 ")


@contextmanager
def running(command: list[str], directory: Path, **settings: Any) -> Iterator[Server]:
    """A server process of its own, killed at the end."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("LOGPIPE_")}
    environ |= {"DJANGO_SETTINGS_MODULE": "tests.django.live_settings", "LIVE_WAIT": str(directory / "wait")}
    environ |= {"LOGPIPE_DIRECTORY": str(directory / "logs"), "PYTHONPATH": str(ROOT)}
    environ |= {"LOGPIPE_STUCK_REQUEST_THRESHOLD_S": "0.3"}
    environ |= {f"LOGPIPE_{name.upper()}": str(value) for name, value in settings.items()}
    (directory / "wait").touch()
    with (directory / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=directory, env=environ, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield Server(process, directory)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def functions(stack: str) -> list[str]:
    """The functions of the site in a stack, outermost first."""
    return [line.rsplit(" ", 1)[1] for line in stack.splitlines() if SITE in line]


def test_a_request_killed_by_gunicorn_has_left_its_trace(tmp_path: Path) -> None:
    """SIGKILL after the time-out: no canonical event, but one that says where it hung; once, and with its correlation ID."""
    with running(GUNICORN, tmp_path) as server:
        with server.ask("/deaf/") as client:
            server.wait_for(lambda: "SIGKILL" in server.output())
            assert client.recv(1000) == b""
        # The worker that takes its place serves, and is watched.
        server.get("/")
        server.event(FINISHED, route="/")
        stuck = server.event(STUCK)
        assert len(server.events(STUCK)) == 1
        assert server.events(FINISHED, route="/deaf/") == []
    assert (stuck["method"], stuck["route"], stuck["is_async"], stuck["level"]) == ("GET", "/deaf/", 0, "warning")
    assert stuck["threshold_ms"] == 300 < stuck["elapsed_ms"]
    assert functions(stuck["stack"]) == ["deaf", "sleep_in_here"]
    assert stuck["request_id"] == stuck["span_id"]
    assert len(stuck["correlation_id"]) == 32


def test_a_request_that_gunicorn_aborts_is_told_twice(tmp_path: Path) -> None:
    """SIGABRT becomes SystemExit in the view: stuck first, then finished as a server error, in one correlation."""
    with running(GUNICORN, tmp_path) as server:
        with server.ask("/stuck/"):
            finished = server.event(FINISHED)
        (stuck,) = server.events(STUCK)
    assert (finished["outcome"], finished["status_code"], finished["error_type"]) == ("server_error", 500, "SystemExit")
    assert stuck["correlation_id"] == finished["correlation_id"]
    assert stuck["query_count"] == 2
    assert functions(stuck["stack"]) == ["stuck", "sleep_in_here"]


@pytest.mark.parametrize(
    ("path", "expected", "queries"),
    [
        ("/stuck-async/", ["stuck_async", "wait_in_here"], 2),
        ("/stuck-gathered/", ["stuck_gathered", "wait_in_here"], 0),
        ("/stuck-in-stream/", ["stuck_in_stream", "<listcomp>", "items", "wait_in_here"], 0),
        ("/stuck-in-thread/", ["stuck_in_thread", "sleep_in_here"], 0),
        ("/stuck-in-loop/", ["stuck_in_loop", "sleep_in_here"], 0),
        ("/stuck-in-bridge/", ["stuck_in_bridge", "wait_in_here"], 0),
        ("/stuck/", ["stuck", "sleep_in_here"], 2),
    ],
)
def test_under_uvicorn_the_stack_leads_to_where_it_hangs(
    tmp_path: Path, path: str, expected: list[str], queries: int
) -> None:
    """Through awaits, gather, async generators, asgiref's threads and back; with the loop itself blocked, too."""
    with running(UVICORN, tmp_path) as server, server.ask(path):
        stuck = server.event(STUCK)
    assert (stuck["route"], stuck["is_async"], stuck["in_flight_count"]) == (path, 1, 1)
    assert stuck["query_count"] == queries
    assert [name.rsplit(".", 1)[-1] for name in functions(stuck["stack"])] == expected
    assert not re.search(r"[?&=]|FOR_EVER", stuck["stack"])


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/stuck/", ["stuck", "sleep_in_here"]), ("/stuck-async/", ["stuck_async", "wait_in_here"])],
)
def test_below_a_sync_middleware_the_thread_leads_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: list[str]
) -> None:
    """Django then runs the whole chain in a thread, and an async view back in the loop."""
    monkeypatch.setenv("LIVE_MIDDLEWARE", "tests.django.test_thread_hops.sync_only")
    with running(UVICORN, tmp_path) as server, server.ask(path):
        stuck = server.event(STUCK)
    assert (stuck["is_async"], stuck["query_count"]) == (0, 2)
    assert functions(stuck["stack"]) == expected


def test_a_long_stream_is_not_stuck(tmp_path: Path) -> None:
    """Its first byte ends the watch; its end, however late, is told by its own event."""
    with running(UVICORN, tmp_path) as server:
        with server.ask("/stream/") as client:
            deadline = time.monotonic() + 1.5
            while time.monotonic() < deadline:
                assert client.recv(1000)
        finished = server.event(FINISHED, outcome="client_disconnect", is_streaming=1)
        assert finished["response_time_ms"] > 1000
        assert server.events(STUCK) == []


def test_a_sync_view_that_outlives_its_client_is_accounted(tmp_path: Path) -> None:
    """The request ends when the client hangs up; its thread goes on, and each of its queries is in exactly one event."""
    with running(UVICORN, tmp_path) as server:
        with server.ask("/goes-on/"):
            server.event(STUCK)
        finished = server.event(FINISHED)
        assert (finished["outcome"], finished["status_code"]) == ("cancelled", 499)
        (tmp_path / "wait").unlink()
        orphaned = server.event(ORPHANED)
        server.get("/")
        server.event(FINISHED, route="/")
        assert len(server.events(ORPHANED)) == 1
    assert (orphaned["method"], orphaned["route"], orphaned["outcome"]) == ("GET", "/goes-on/", "cancelled")
    assert (finished["query_count"], orphaned["query_count"]) == (1, 5)
    assert "cache_set_count" not in finished
    assert orphaned["cache_operation_count"] == 2
    for name in ("correlation_id", "request_id", "span_id", "parent_span_id"):
        assert orphaned[name] == finished[name]
    assert orphaned["last_seen_ms"] > 0


@pytest.mark.parametrize(("path", "count"), [("/leaves-task/", 4), ("/leaves-thread/", 3)])
def test_what_a_view_leaves_behind_is_accounted(tmp_path: Path, path: str, count: int) -> None:
    """A task, or a thread with the request's context, that works on after the answer."""
    with running(UVICORN, tmp_path) as server:
        server.get(path)
        finished = server.event(FINISHED)
        (tmp_path / "wait").unlink()
        orphaned = server.event(ORPHANED)
    assert (finished["outcome"], finished["query_count"]) == ("ok", 0)
    assert (orphaned["outcome"], orphaned["query_count"]) == ("ok", count)
    assert orphaned["request_id"] == finished["request_id"]


def test_what_a_cancelled_view_does_about_it_is_the_requests(tmp_path: Path) -> None:
    """Its `finally` runs before the request ends: nothing is orphaned."""
    with running(UVICORN, tmp_path) as server:
        with server.ask("/tidies-up/"):
            server.event(STUCK)
        finished = server.event(FINISHED)
        time.sleep(0.5)  # several looks of the watchdog
        assert server.events(ORPHANED) == []
    assert (finished["outcome"], finished["query_count"]) == ("cancelled", 2)


def test_late_work_is_told_when_the_server_stops(tmp_path: Path) -> None:
    """An orderly end does not wait for a quiet second (uvicorn's is none: it ends itself by the signal it was sent)."""
    with running(GUNICORN, tmp_path, stuck_request_threshold_s=100) as server:
        server.get("/leaves-thread/")
        server.event(FINISHED)
        (tmp_path / "wait").unlink()
        time.sleep(0.2)
        server.process.terminate()
        server.process.wait(20)
        (orphaned,) = server.events(ORPHANED)
    assert orphaned["query_count"] == 3
