"""A server whose answers come one byte at a time: no wait for a byte is long, and the whole never ends in time.

In: an answer, and the part of it that is sent at once. Out: an address. Never: an answer that a patient client would not
get whole in the end, so that a client without an end to its patience is found out.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

#: Between two bytes, s.
PAUSE_S = 0.03
_BODY = b'{"status":"success","data":{"resultType":"vector","result":[]}}'
_KIND = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: Where the dripping begins: what comes at once, what drips.
ANSWERS = {
    "before the status": (b"", _KIND + b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)),
    "in a header": (_KIND, b"Content-Length: %d\r\n\r\n%s" % (len(_BODY), _BODY)),
    "in the body": (_KIND + b"Content-Length: %d\r\n\r\n" % len(_BODY), _BODY),
    "in a chunk": (_KIND + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(_BODY), _BODY + b"\r\n0\r\n\r\n"),
    "in a body without a length": (_KIND + b"Connection: close\r\n\r\n", _BODY),
}


@contextmanager
def dripping(at_once: bytes, slowly: bytes) -> Iterator[str]:
    """Answer every request so, on any number of connections."""
    is_over = threading.Event()
    threads: list[threading.Thread] = []

    def answer(connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            try:
                connection.recv(65_536)
                connection.sendall(at_once)
                for byte in slowly:
                    if is_over.wait(PAUSE_S):
                        return
                    connection.sendall(bytes([byte]))
            except OSError:
                return  # the client has gone

    def accept() -> None:
        while not is_over.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # the listener was closed
            threads.append(threading.Thread(target=answer, args=[connection], daemon=True))
            threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        threads.append(threading.Thread(target=accept, daemon=True))
        threads[0].start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            is_over.set()
            listener.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)
