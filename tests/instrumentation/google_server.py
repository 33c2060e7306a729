"""A scripted HTTP server on loopback that answers as the Calendar API does.

In: a list of answers. Out: what was received, and what became of it. Never: an answer that is not in the list.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc

from logging_pkg.instrumentation.google_api import InstrumentedHttpRequest

#: Close the connection without an answer.
HANG_UP = 0
#: Answer 200, and close in the middle of the body.
CUT_SHORT = 1

MULTIPART = 'multipart/mixed; boundary="batch_answer"'


@dataclass
class GoogleServer:
    """Answers in turn: (status, body), the body as JSON, as text, or as a function of the body received.

    HANG_UP and CUT_SHORT stand in for a status. `closes` says that connections are closed after each answer, without a
    word of it in the answer; `headers` are sent with each. `statuses` has what each request received was answered with,
    None where it was not.
    """

    answers: list[tuple[int, Any]] = field(default_factory=list)
    received: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    statuses: list[int | None] = field(default_factory=list)
    closes: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    address: str = ""


@contextmanager
def serving() -> Iterator[GoogleServer]:
    """Serve until the block ends."""
    state = GoogleServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.received.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            status, body = state.answers.pop(0)
            state.statuses.append({HANG_UP: None, CUT_SHORT: 200}.get(status, status))
            if status == HANG_UP:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            if callable(body):
                body = body(sent.decode())
            content = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(200 if status == CUT_SHORT else status)
            if status in (301, 302, 307, 308):
                self.send_header("Location", str(body))
            for name, value in state.headers.items():
                self.send_header(name, value)
            is_batch = content.startswith(b"--batch_answer")
            self.send_header("Content-Type", MULTIPART if is_batch else "application/json")
            self.send_header("Content-Length", str(len(content) + (status == CUT_SHORT)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)
            self.close_connection |= state.closes or status == CUT_SHORT

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815  (names of the standard library)

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


def calendar_client(google: GoogleServer, http: Any) -> Any:
    """The real client, its API and its batch endpoint at the local server."""
    document = json.loads(get_static_doc("calendar", "v3"))
    document["rootUrl"] = f"http://{google.address}/"
    document.pop("mtlsRootUrl", None)
    return build_from_document(document, http=http, requestBuilder=InstrumentedHttpRequest)


def batch_answer(*parts: tuple[int, Any]) -> Callable[[str], str]:
    """Answer the parts of a batch in turn, each with its own (status, body)."""

    def answer(sent: str) -> str:
        names = [line.split(":", 1)[1].strip(" <>") for line in sent.splitlines() if line.startswith("Content-ID")]
        assert len(names) == len(parts)
        lines = []
        for name, (status, body) in zip(names, parts, strict=True):
            lines += ["--batch_answer", "Content-Type: application/http", f"Content-ID: <response-{name}>", ""]
            lines += [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json; charset=UTF-8", ""]
            lines += [json.dumps(body, indent=1).replace("\n", "\r\n") if body is not None else ""]
        return "\r\n".join([*lines, "--batch_answer--", ""])

    return answer
