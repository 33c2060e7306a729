"""One connection while httplib2 makes a request over it, which it may send more than once.

In: httplib2's use of the connection: connect, send, answer. Out: an attempt per request sent, each with the correlation
headers of its own span where the host is told. Never: a change of what httplib2 does with it.
"""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Any

from logging_pkg.context import activate
from logging_pkg.instrumentation.google_api.attempt import Attempt, Outbound
from logging_pkg.instrumentation.google_api.calls import ApiCall
from logging_pkg.instrumentation.guard import faults_kept_in
from logging_pkg.instrumentation.http_client.propagation import headers_for

#: What a peer's FIN or RST sets, whatever else there is to read. Not POLLIN: a TLS server may send session tickets at
#: any time. Without POLLRDHUP (macOS) POLLHUP says it.
_CLOSED = getattr(select, "POLLRDHUP", 0) | getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)


class WatchedConnection:
    """Watches one connection until `release`. httplib2 uses a connection in one thread at a time."""

    def __init__(self, connection: Any, call: ApiCall, outbound: Outbound) -> None:
        self._connection = connection
        self._call = call
        self._outbound = outbound
        self._is_kept_alive = connection.sock is not None
        self._originals = {name: vars(connection).get(name) for name in ("connect", "send", "request", "getresponse")}
        self._connect, self._send = connection.connect, connection.send
        self._request, self._getresponse = connection.request, connection.getresponse
        self._attempt = Attempt(call, outbound)
        connection.connect, connection.send = self.connect, self.send
        connection.request, connection.getresponse = self.request, self.getresponse
        self._previous = activate(self._attempt.span)

    def answered(self, response: Any, content: bytes) -> None:
        """The whole answer is there."""
        self._attempt.status = int(response.status)
        self._attempt.answer(response, content)

    def failed(self, error: BaseException) -> None:
        """httplib2 has given up."""
        self._attempt.fail(error)
        self._attempt.end()

    def release(self) -> None:
        """Leave the connection as it was."""
        activate(self._previous)
        with faults_kept_in():
            for name, original in self._originals.items():
                if original is None:
                    delattr(self._connection, name)  # what is left is the class's own
                else:
                    setattr(self._connection, name, original)

    def connect(self, *args: Any, **kwargs: Any) -> Any:
        """Connect: whatever fails in here, TLS included, has not sent the request."""
        self._begin()
        try:
            result = self._connect(*args, **kwargs)
        except BaseException as error:
            self._attempt.is_sent = False
            self._attempt.fail(error)
            raise
        self._is_kept_alive = False
        return result

    def request(self, method: Any, url: Any, body: Any = None, headers: Any = None, **kwargs: Any) -> Any:
        """Send the request, with the headers of this attempt."""
        self._begin()
        return self._noting(self._request, method, url, body, self._told(headers or {}), **kwargs)

    def send(self, data: Any) -> Any:
        """Send bytes: from the first on the server may act."""
        if not self._attempt.is_sent:
            self._attempt.is_sent = True
            self._attempt.is_stale = self._is_kept_alive and is_closed_by_peer(self._connection.sock)
        return self._send(data)

    def getresponse(self, *args: Any, **kwargs: Any) -> Any:
        """Wait for the answer's status and headers."""
        response = self._noting(self._getresponse, *args, **kwargs)
        with faults_kept_in():
            self._attempt.status = int(response.status)
        return response

    def _noting(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            self._attempt.fail(error)
            raise

    def _begin(self) -> None:
        """What comes after a failure is a further attempt."""
        if not self._attempt.has_failed:
            return
        with faults_kept_in():
            self._attempt.end()
            self._attempt = Attempt(self._call, self._outbound)
            activate(self._attempt.span)

    def _told(self, headers: Any) -> Any:
        with faults_kept_in():
            # httplib2 has all names in lower case. An attempt's own span takes the place of whatever the caller sent.
            own = headers_for(self._connection.host, self._connection.port)
            if own:
                return {**headers, **{name.lower(): value for name, value in own.items()}}
        return headers


def is_closed_by_peer(sock: Any) -> bool:
    """Whether the other end has closed a connection, as far as this end knows; False for what is no socket."""
    try:
        poll = select.poll()
        poll.register(sock, _CLOSED)
        return bool(poll.poll(0))
    except (AttributeError, OSError, TypeError, ValueError):
        return False
