"""HTTP to the servers of the pipeline: an answer that is whole in its time, or none.

In: a request, a session of `http_session`. Out: an Answer, or why there is none. Never: a wait past the time allowed,
however slowly an answer drips; an answer over MAX_ANSWER_BYTES; a redirect followed; a proxy for a loopback address.
"""

# ruff: noqa: N818 - the names of the errors say what happened

from __future__ import annotations

import http.client
import io
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Timeout
from urllib3.exceptions import MaxRetryError, NewConnectionError

from logging_pkg.exceptions import LogpipeError

LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "::1", "localhost"})
#: Loki sends 100 MiB at most (`grpc_server_max_send_msg_size` in loki/loki.yaml), which JSON's escapes may double.
MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
_CHUNK_BYTES: Final = 64 * 1024
#: What requests says of an address that cannot be used, or of a connection that took too long to make.
_NEVER_SENT: Final = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)


class NoAnswer(LogpipeError):
    """There is no whole answer; the request may have been carried out.

    Attributes:
        url: the address asked, without its query.
        reason: why, as a part of a sentence, and what to do where time or size was the limit.
    """

    def __init__(self, url: str, reason: str) -> None:
        self.url, self.reason = url, reason
        super().__init__(f"{url}: {reason}")


class NoConnection(NoAnswer):
    """No connection was made, so nothing was sent."""


class AnswerTooLarge(NoAnswer):
    """The answer has more than MAX_ANSWER_BYTES."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, of any status.

    Attributes:
        url: the address asked, without its query.
        status: the HTTP status.
        content: its body, unpacked.
    """

    url: str
    status: int
    content: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8, which all servers of the pipeline send; other bytes are replaced."""
        return self.content.decode(errors="replace")


def http_session(url: str) -> requests.Session:
    """A session for the server at `url`: its `timeout` is for the whole of an answer, and not for each wait for bytes.

    Proxies of the environment are for the outside world: they do not apply where `url` is of this machine.
    """
    session = requests.Session()
    session.trust_env = not is_loopback(url)
    for scheme in ("http://", "https://"):
        session.mount(scheme, _Adapter())
    return session


def is_loopback(url: str) -> bool:
    """Whether an address is of this machine; False of what is none."""
    try:
        return urlsplit(url).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False


def ask(
    session: requests.Session,
    method: str,
    url: str,
    *,
    timeout_s: float,
    params: Mapping[str, str] | None = None,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request and read its answer whole.

    Args:
        session: of `http_session`; with any other, `timeout_s` is for each wait.
        method: GET, POST.
        url: the address, without a query.
        timeout_s: for connecting, and for everything together from then to the answer's last byte, s.
        params: the query.
        body: what to send.
        headers: besides those of the session.

    Raises:
        NoConnection: nothing was sent.
        AnswerTooLarge: it was not read to its end.
        NoAnswer: time ran out, or the connection broke off.
    """
    begin, content = time.monotonic(), bytearray()
    try:
        with session.request(
            method,
            url,
            params=params,
            data=body,
            headers=headers,
            timeout=timeout_s,
            allow_redirects=False,
            stream=True,
        ) as response:
            for chunk in response.iter_content(_CHUNK_BYTES):
                content += chunk
                if len(content) > MAX_ANSWER_BYTES:
                    raise AnswerTooLarge(url, f"the answer has more than {MAX_ANSWER_BYTES >> 20} MiB: ask for less")
            return Answer(url, response.status_code, bytes(content))
    except requests.RequestException as error:
        if _nothing_sent(error):
            raise NoConnection(url, _reason(error)) from error
        if time.monotonic() - begin >= timeout_s:
            raise NoAnswer(url, f"not whole after {timeout_s:g} s: ask for less, or allow more time") from error
        raise NoAnswer(url, _reason(error)) from error


class _UntilReader(io.RawIOBase):
    """A socket's bytes, each wait for them shorter than the last, until the time is up."""

    def __init__(self, source: socket.socket, end: float) -> None:
        self._socket, self._end = source, end
        self._raw = source.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left_s = self._end - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time for the whole answer is up")
        self._socket.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _WholeResponse(http.client.HTTPResponse):
    """Takes the socket's time-out as it is when the answer begins for the time of all of it: status, headers, body.

    urllib3 has set it then to what is left of `Timeout.total`. Nothing above the socket would do: the status line, each
    header and each chunk are read to their ends before anybody is asked.
    """

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        if (timeout_s := sock.gettimeout()) is not None:
            self.fp.close()
            self.fp = io.BufferedReader(_UntilReader(sock, time.monotonic() + timeout_s))


class _Whole:
    """A connection whose answers are whole in time."""

    response_class = _WholeResponse


@cache
def _whole(kind: type) -> type:
    return kind if issubclass(kind, _Whole) else type(kind.__name__, (_Whole, kind), {})


class _Adapter(HTTPAdapter):
    """Makes such connections, whether straight to a server or through a proxy."""

    def send(
        self, request: requests.PreparedRequest, stream: bool = False, timeout: Any = None, *args: Any, **options: Any
    ) -> requests.Response:
        total: Any = Timeout(total=timeout) if isinstance(timeout, int | float) else timeout
        return super().send(request, stream, total, *args, **options)

    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = _whole(pool.ConnectionCls)
        return pool


def _nothing_sent(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(error, _NEVER_SENT) or (
        isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)
    )


def _reason(error: requests.RequestException) -> str:
    cause = error.args[0] if error.args else error
    return str(cause.reason if isinstance(cause, MaxRetryError) and cause.reason else cause)
