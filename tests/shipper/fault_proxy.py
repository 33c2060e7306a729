"""An HTTP proxy in front of a real Loki that breaks pushes on demand.

In: requests for Loki, and a queue of faults. Out: Loki's answers, or the fault. Never: an answer of Loki's made up where
the real one can give it; a fault applies to pushes only, everything else passes.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import orjson
import requests

from logging_pkg.http_session import http_session

#: What may happen to one push.
CUT_BEFORE = "cut before it reaches Loki"
CUT_AFTER = "cut after Loki has stored it"
FAIL_BEFORE = "503, not forwarded"
FAIL_AFTER = "500 after Loki has stored it"
RATE_LIMIT = "429, not forwarded"
RATE_LIMIT_AFTER = "429 after Loki has stored it"
LATE = "held longer than the client waits, then forwarded"
HOLD_BEFORE = "not forwarded, not answered until released"
HOLD_AFTER = "forwarded, not answered until released"
PASS = "forwarded"

Rule = Callable[[list[dict[str, Any]]], tuple[int, str] | None]


class FaultProxy:
    """Listens on a free loopback port: `with FaultProxy(loki_url) as proxy: proxy.faults.append(CUT_AFTER)`.

    Attributes:
        url: what to give the client.
        faults: what happens to the next pushes, first in first out; with none left they pass.
        rule: judges the streams of each push that passes: (status, message) is answered without forwarding.
        pushes: number of lines of every push seen, in order.
        held: set while a push is being held.
    """

    def __init__(self, upstream: str, late_s: float = 1.5) -> None:
        self.upstream = upstream
        self.late_s = late_s
        self.faults: deque[str] = deque()
        self.rule: Rule | None = None
        self.pushes: list[int] = []
        self.held = threading.Event()
        self.release = threading.Event()
        self.connections: set[socket.socket] = set()
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._server.shutdown()
        for connection in list(self.connections):
            # Kept alive by the client's pool; the thread waits for its next request.
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    block_on_close = True


def _handler(proxy: FaultProxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 30

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self._forward(b"")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if not self.path.endswith("/push"):
                self._forward(body)
                return
            streams = orjson.loads(zlib.decompress(body, zlib.MAX_WBITS | 16))["streams"]
            proxy.pushes.append(sum(len(stream["values"]) for stream in streams))
            fault = proxy.faults.popleft() if proxy.faults else PASS
            if fault in (CUT_AFTER, FAIL_AFTER, RATE_LIMIT_AFTER, HOLD_AFTER):
                assert self._ask(body).status_code == 204
            if fault in (HOLD_BEFORE, HOLD_AFTER):
                proxy.held.set()
                proxy.release.wait(30)
            if fault == LATE:
                time.sleep(proxy.late_s)
                assert self._ask(body).status_code == 204
            if fault in (CUT_BEFORE, CUT_AFTER, HOLD_BEFORE, HOLD_AFTER, LATE):
                self._cut()
            elif fault in (FAIL_BEFORE, FAIL_AFTER):
                self._answer(503 if fault == FAIL_BEFORE else 500, b"rpc error: code = Unavailable desc = broken")
            elif fault in (RATE_LIMIT, RATE_LIMIT_AFTER):
                self._answer(429, b"ingestion rate limit exceeded for user fake")
            elif proxy.rule is not None and (verdict := proxy.rule(streams)) is not None:
                self._answer(verdict[0], verdict[1].encode())
            else:
                self._forward(body)

        def _ask(self, body: bytes) -> requests.Response:
            headers = {
                k: v for k, v in self.headers.items() if k.lower() not in ("host", "connection", "accept-encoding")
            }
            with http_session(proxy.upstream) as session:
                return session.request(self.command, proxy.upstream + self.path, data=body, headers=headers, timeout=30)

        def _forward(self, body: bytes) -> None:
            try:
                answer = self._ask(body)
            except requests.RequestException:
                self._cut()
                return
            self._answer(answer.status_code, answer.content, answer.headers.get("Content-Type", "text/plain"))

        def _answer(self, status: int, body: bytes, kind: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if status != 204:
                self.wfile.write(body)

        def _cut(self) -> None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)

        def handle(self) -> None:
            proxy.connections.add(self.connection)
            try:
                super().handle()
            except OSError:
                self.close_connection = True  # the client is gone, as in LATE
            finally:
                proxy.connections.discard(self.connection)

    return Handler
