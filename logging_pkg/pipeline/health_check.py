"""Look from outside whether an address answers well.

In: a name and an http(s) address. Out: the fields of a `health.check_finished`. Never: a redirect followed, a proxy, a
body kept, an exception for what is wrong with the address.
"""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from logging_pkg.exceptions import ConfigurationError

#: What the schema promises of the dimension `check`.
MAX_CHECKS = 50
_NAME = re.compile(r"[a-z0-9][a-z0-9._:-]{0,62}")
_NAMED = re.compile(r"(?P<name>[^=/?#]+)=(?P<url>https?://.*)")
_BODY_BYTES = 64 * 1024
_DAY_S = 86_400


@dataclass(frozen=True)
class Check:
    """An address to look at; `target` is its path and query, of which only the path is ever written."""

    name: str
    scheme: str
    host: str
    port: int | None
    path: str
    target: str

    @property
    def url(self) -> str:
        """What may be written: neither user info nor query."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{'' if self.port is None else f':{self.port}'}{self.path}"


def read_checks(arguments: Iterable[str]) -> list[Check]:
    """The checks that `[NAME=]URL` arguments describe; the name is the host (and port) where none is given.

    Raises:
        ConfigurationError: an address is none, a name cannot be a label, or two checks have one name.
    """
    checks: dict[str, Check] = {}
    for argument in arguments:
        check = _read(argument)
        if check.name in checks:
            raise ConfigurationError(
                f"two checks are named {check.name}; give them names of their own: shop={check.url} api=…"
            )
        checks[check.name] = check
    if len(checks) > MAX_CHECKS:
        raise ConfigurationError(f"{len(checks)} checks, expected at most {MAX_CHECKS} of one prober")
    return list(checks.values())


def _read(argument: str) -> Check:
    named = _NAMED.fullmatch(argument)
    url = named["url"] if named else argument
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = urlsplit(""), None, None
    if parts.scheme not in {"http", "https"} or not host or re.search(r"\s", url):
        raise ConfigurationError(f"{argument!r} is no address, expected https://host/path or name=https://host/path")
    if parts.username is not None:
        raise ConfigurationError(f"the address of {host} holds a user name; a health check is asked without one")
    name = named["name"] if named else host if port is None else f"{host}:{port}"
    if _NAME.fullmatch(name) is None:
        raise ConfigurationError(f"{name!r} is no name of a check, expected to match {_NAME.pattern}: name={url}")
    path = parts.path or "/"
    return Check(name, parts.scheme, host, port, path, f"{path}?{parts.query}" if parts.query else path)


def run_check(
    check: Check, timeout_s: float, interval_s: float | None = None, headers: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Ask once.

    Args:
        check: what.
        timeout_s: for everything together; the system's look at the name is not cut off, but too late then.
        interval_s: told in the event.
        headers: sent along, such as those that carry the correlation ID.
    """
    asked = _Exchange(check, timeout_s)
    started = time.perf_counter_ns()
    status: int | None = None
    error: BaseException | None = None
    try:
        status = asked.run(dict(headers or {}))
    except (OSError, http.client.HTTPException, ValueError) as caught:  # ValueError: a name that IDNA cannot hold
        error = caught
    outcome = "up" if status is not None and 200 <= status < 300 else "wrong_status"
    if error is not None:
        outcome = asked.outcome_of(error)
    kind = type(error)
    return {
        "check": check.name,
        "url": check.url,
        "status_code": status,
        "outcome": outcome,
        "is_up": int(outcome == "up"),
        "duration_ms": round((time.perf_counter_ns() - started) / 1_000_000, 3),
        "interval_s": interval_s,
        "tls_expires_in_days": asked.expires_in_days,
        "error_type": None if error is None else f"{kind.__module__}.{kind.__qualname__}",
    }


class _Exchange:
    """One request, cut off when its time is up, wherever it stands."""

    def __init__(self, check: Check, timeout_s: float) -> None:
        self._check, self._timeout_s = check, timeout_s
        self._is_connected = self._is_late = False
        self.expires_in_days: float | None = None

    def run(self, headers: dict[str, str]) -> int:
        """The status, when the whole answer (or its first 64 KiB) was there."""
        check = self._check
        kind = http.client.HTTPSConnection if check.scheme == "https" else http.client.HTTPConnection
        connection = kind(check.host, check.port, timeout=self._timeout_s)
        # A time-out of sockets is for each read: an answer that trickles would never meet it.
        timer = threading.Timer(self._timeout_s, self._cut, [connection])
        timer.daemon = True
        timer.start()
        try:
            connection.connect()
            self._is_connected = True
            self._raise_if_late()
            self._read_certificate(connection.sock)
            connection.request("GET", check.target, headers={"User-Agent": "logpipe-probe", **headers})
            with connection.getresponse() as answer:
                body = answer.read(_BODY_BYTES)
                if len(body) < _BODY_BYTES and answer.length:
                    raise http.client.IncompleteRead(b"", answer.length)
                self._raise_if_late()
                return answer.status
        finally:
            timer.cancel()
            connection.close()

    def outcome_of(self, error: BaseException) -> str:
        """What an exception of `run` means."""
        if self._is_late or isinstance(error, TimeoutError):
            return "timed_out"
        if isinstance(error, ssl.SSLError) and not self._is_connected:
            return "tls_failed"
        return "broken_off" if self._is_connected else "unreachable"

    def _raise_if_late(self) -> None:
        if self._is_late:
            raise TimeoutError("the time was up")

    def _cut(self, connection: http.client.HTTPConnection) -> None:
        self._is_late = True
        if (open_socket := connection.sock) is not None:
            try:
                open_socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was over that very moment

    def _read_certificate(self, open_socket: socket.socket) -> None:
        if isinstance(open_socket, ssl.SSLSocket):
            expires = str((open_socket.getpeercert() or {}).get("notAfter", ""))
            if expires:
                left_s = ssl.cert_time_to_seconds(expires) - time.time()
                self.expires_in_days = round(left_s / _DAY_S, 2)
