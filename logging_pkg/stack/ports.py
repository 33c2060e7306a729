"""Ports on 127.0.0.1.

In: wanted ports. Out: ports nobody listens on at this moment. Never: a socket kept open; between the answer and a
server's start another program may take the port, which the runner meets by asking again.
"""

from __future__ import annotations

import socket
from contextlib import ExitStack

from logging_pkg.exceptions import StackError, StackInputError

HOST = "127.0.0.1"


def free_ports(count: int) -> list[int]:
    """Distinct ports that the system hands out as free."""
    with ExitStack() as sockets:
        opened = [sockets.enter_context(socket.socket()) for _ in range(count)]
        for sock in opened:
            sock.bind((HOST, 0))
        return [int(sock.getsockname()[1]) for sock in opened]


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as sock:
        # As Go's listeners do; without it a port in TIME_WAIT after a restart looks taken.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((HOST, port))
        except OSError:
            return False
        return True


def require_free(server: str, port: int) -> int:
    """The port, if it can be used.

    Raises:
        StackError: it is out of range, or something listens on it.
    """
    if not 1 <= port <= 65535:
        raise StackInputError(f"{server}: port {port} is not a port; expected 1 to 65535")
    if not is_free(port):
        raise StackError(
            f"{server}: port {port} on {HOST} is in use; stop what listens there, or choose another with "
            f"--port {server}=NUMBER or LOGPIPE_{server.upper()}_PORT"
        )
    return port
