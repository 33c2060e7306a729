"""Websockets pass through: a real server routes them past Django, with and without the same."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

ROOT = Path(__file__).parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            assert server.poll() is None, "uvicorn has ended"
            time.sleep(0.1)
    raise AssertionError(f"{address} does not answer")


def _transcript(variant: str, scratch: Path) -> tuple[list[Any], list[dict[str, Any]], str]:
    """What a client sees of one server; the events it wrote; what it said."""
    scratch.mkdir()
    port = _free_port()
    environ = {key: value for key, value in os.environ.items() if not key.startswith(("LOGPIPE_", "DJANGO_", "PYTHON"))}
    environ |= {
        "INTERFERENCE_VARIANT": variant,
        "INTERFERENCE_SCRATCH": str(scratch),
        "INTERFERENCE_REDIS": "unix:///nowhere",
        "PYTHONHASHSEED": "0",
    }
    command = [sys.executable, "-m", "uvicorn", "--port", str(port), "--lifespan", "on", "--log-level", "warning"]
    seen: list[Any] = []
    with (scratch / "output").open("wb") as output:
        server = subprocess.Popen(
            [*command, "tests.interference.websocket_app:application"],
            cwd=ROOT,
            env=environ,
            stdout=output,
            stderr=output,
        )
        try:
            _wait(f"http://127.0.0.1:{port}/class/", server)
            address = f"ws://127.0.0.1:{port}/ws"
            with connect(f"{address}/echo/", subprotocols=["first", "second"], proxy=None) as client:  # type: ignore[list-item]
                seen += [client.subprotocol, json.loads(client.recv())]
                for message in ("text", "grün", b"\x00\xff", "x" * 100_000, "query"):
                    client.send(message)
                    seen.append(client.recv())
                client.send("bye")
                seen.append(_end(client))
            with connect(f"{address}/fail/", proxy=None) as client:
                client.recv()
                client.send("fail")
                seen.append(_end(client))
            with pytest.raises(InvalidStatus) as refused:
                connect(f"{address}/refused/", proxy=None)
            seen.append(refused.value.response.status_code)
            # Both at once on one server: a page while a socket is open.
            with connect(f"{address}/open/", proxy=None) as client:
                client.recv()
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/plain-async/7/", timeout=20) as page:
                    seen.append([page.status, page.read().decode()])
                    headers = sorted((name.lower(), value) for name, value in page.getheaders())
                    seen.append([item for item in headers if item[0] not in {"x-correlation-id", "date"}])
                client.send("still there")
                seen.append(client.recv())
        finally:
            server.send_signal(signal.SIGINT)
            seen.append(server.wait(30))
    lines = [line for path in (scratch / "logs").glob("*") for line in path.read_bytes().splitlines()]
    return seen, [json.loads(line) for line in lines], (scratch / "output").read_text()


def _end(client: Any) -> list[Any]:
    with pytest.raises(ConnectionClosed) as closed:
        client.recv()
    return [closed.value.rcvd and [closed.value.rcvd.code, closed.value.rcvd.reason]]


def test_websockets_pass_through(tmp_path: Path) -> None:
    """Echo, close codes, refusals, errors, lifespan and pages in between: what a client sees is the same."""
    before, no_events, said_before = _transcript("without", tmp_path / "without")
    after, events, said_after = _transcript("with", tmp_path / "with")

    assert after == before
    assert said_before.count("LookupError: in the consumer") == said_after.count("LookupError: in the consumer") == 1
    assert no_events == []
    routes = [event["route"] for event in events if event["event"] == "http.request_finished"]
    assert routes == ["/class/", "/plain-async/{number}/"]
