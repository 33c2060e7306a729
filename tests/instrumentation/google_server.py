"""A scripted HTTP server on loopback that answers as the Calendar API does.

In: a list of answers. Out: what was received. Never: an answer that is not in the list.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

#: Close the connection without an answer.
HANG_UP = 0


@dataclass
class GoogleServer:
    """Answers in turn: (status, body), the body as JSON or text. HANG_UP closes the connection instead."""

    answers: list[tuple[int, Any]] = field(default_factory=list)
    received: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    address: str = ""


@contextmanager
def serving() -> Iterator[GoogleServer]:
    """Serve until the block ends."""
    state = GoogleServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.received.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            status, body = state.answers.pop(0)
            if status == HANG_UP:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", str(body))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  (names of the standard library)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        state.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield state
        finally:
            server.shutdown()
            thread.join()
