"""What the client's tests share: labels of their own, entries, and a peer that misbehaves on the socket."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack

import pytest

from logging_pkg.loki_client import Entry, LokiClient, Stream


class Store:
    """Pushes to one service name that nobody else uses, and reads it back."""

    def __init__(self, client: LokiClient) -> None:
        self.client = client
        self.service = f"test-{uuid.uuid4().hex[:12]}"
        # A minute ago: in the past, so that a range up to now holds it, and within every limit.
        self.start_ns = time.time_ns() - 60_000_000_000

    @property
    def selector(self) -> str:
        return f'{{service_name="{self.service}"}}'

    @property
    def range(self) -> tuple[int, int]:
        return self.start_ns - 3_600_000_000_000, time.time_ns() + 1_000_000_000

    def stream(self, entries: list[Entry], **labels: str) -> Stream:
        return Stream({"service_name": self.service, "env": "test", "event": "test.thing_done", **labels}, entries)

    def push(self, lines: Mapping[int, str] | list[tuple[int, str]], **labels: str) -> None:
        """Push (nanoseconds after start_ns, line) pairs, at most 1,000 in one request."""
        pairs = list(lines.items()) if isinstance(lines, Mapping) else lines
        for first in range(0, len(pairs), 1000):
            entries = [Entry(self.start_ns + offset, line) for offset, line in pairs[first : first + 1000]]
            self.client.push([self.stream(entries, **labels)])

    def lines(self, expr: str = "", **options) -> list[str]:
        return [entry.line for entry in self.client.query_range(self.selector + expr, *self.range, **options).entries]


@pytest.fixture
def store(loki: LokiClient) -> Store:
    return Store(loki)


@pytest.fixture
def peer() -> Iterator[Callable[[bytes], str]]:
    """A function that starts a TCP server which reads a request, sends the given bytes and closes; it returns the address."""
    with ExitStack() as opened:

        def start(answer: bytes) -> str:
            listener = opened.enter_context(socket.create_server(("127.0.0.1", 0)))

            def serve() -> None:
                try:
                    while True:
                        connection, _ = listener.accept()
                        with connection:
                            connection.settimeout(5)
                            connection.recv(65536)
                            connection.sendall(answer)
                except OSError:
                    return  # the listener was closed

            thread = threading.Thread(target=serve, daemon=True)
            thread.start()
            opened.callback(thread.join, 5)
            opened.callback(listener.shutdown, socket.SHUT_RDWR)
            return f"http://127.0.0.1:{listener.getsockname()[1]}"

        yield start
