"""HTTP/1.1 around the application: a thread per connection, keep-alive, one write per answer.

In: TCP connections on loopback.
Out: parsed requests to the application, its answers back; a dropped connection where it answers None.
Never: what a request means.
"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

from calendar_sync.fake_google.application import FakeGoogle
from calendar_sync.fake_google.control import Control
from calendar_sync.fake_google.control_data import PREFIX
from calendar_sync.fake_google.messages import Request, Response, split_target

MAX_BODY_BYTES = 4 * 1024 * 1024


class FakeGoogleServer:
    """A running server: `with FakeGoogleServer(FakeGoogle()) as server: server.url`. Port 0 takes a free port."""

    def __init__(self, application: FakeGoogle, host: str = "127.0.0.1", port: int = 0) -> None:
        self.application = application
        handler = type("Handler", (_Handler,), {"application": application, "control": Control(application)})
        self._http = _HttpServer((host, port), handler)
        self._thread = threading.Thread(target=self.serve_forever, name="fake-google", daemon=True)

    @property
    def host(self) -> str:
        """The address it listens on."""
        return str(self._http.server_address[0])

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._http.server_port

    @property
    def url(self) -> str:
        """The API root, with a slash at its end, as in a discovery document's `rootUrl`."""
        return f"http://{self.host}:{self.port}/"

    def start(self) -> None:
        """Serve in a background thread."""
        self._thread.start()

    def serve_forever(self) -> None:
        """Serve in this thread until `stop`."""
        self._http.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        """Stop serving, close the listening socket and end the application's thread; returns when all is done."""
        self._http.shutdown()
        self._http.server_close()
        if self._thread.is_alive():
            self._thread.join()
        self.application.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # Idle keep-alive connections would otherwise hold server_close() until their client goes away.
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away in mid-answer is no error of the server's."""


class _Handler(BaseHTTPRequestHandler):
    application: FakeGoogle
    control: Control

    protocol_version = "HTTP/1.1"
    server_version = "FakeGoogleCalendar"
    sys_version = ""
    # Headers and body leave in one segment: unbuffered writes meet Nagle's algorithm and delayed ACKs, 40 ms a request.
    wbufsize = -1
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > MAX_BODY_BYTES:
            self.close_connection = True
            self._send(Response(413, {"error": {"code": 413, "message": "Request Entity Too Large"}}))
            return
        path, query = split_target(self.path)
        headers = {key.lower(): value for key, value in self.headers.items()}
        request = Request(self.command, path, query, headers, self.rfile.read(length))
        if request.path.startswith(PREFIX):
            self._send(self.control.handle(request))
            return
        response = self.application.handle(request)
        if response is None:
            self.close_connection = True
            return
        self._send(response)
        if response.closes_connection:
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 (names that http.server looks up)

    def _send(self, response: Response) -> None:
        body = response.encoded()
        self.send_response(response.status)
        if response.status != 204:
            self.send_header("Content-Type", response.content_type)
            self.send_header("Content-Length", str(len(body)))
        for name, value in response.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the name http.server calls it by)
        """The ledger is the log; nothing goes to standard error."""
