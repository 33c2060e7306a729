"""A receiver of push notifications, over real HTTP.

In: notifications. Out: what was received, in order; answers as a test wants them. Never: a mock.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A receiver of notifications. It answers with `statuses` in turn, then 200; None hangs up. `held` makes it wait."""

    def __init__(self) -> None:
        receiver = self
        self.received: list[dict[str, Any]] = []
        self.statuses: list[int | None] = []
        self.held = threading.Event()
        self.held.set()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", "-1")))
                receiver.received.append({"path": self.path, "body": body, **dict(self.headers.items())})
                receiver.held.wait(10)
                status = receiver.statuses.pop(0) if receiver.statuses else 200
                if status is not None:
                    self.send_response(status)
                    self.end_headers()

            def log_message(self, *args: Any) -> None:
                """Nothing to standard error."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook?x=1"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        self.held.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def told(self) -> list[tuple[str, str, str]]:
        return [
            (headers["X-Goog-Channel-ID"], headers["X-Goog-Message-Number"], headers["X-Goog-Resource-State"])
            for headers in self.received
        ]
