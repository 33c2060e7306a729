"""Watch `requests`: every exchange its HTTPAdapter makes.

In: the module `requests.adapters`, once it is imported. Out: exchanges.
Never: changes the request, the response or the exception; leaves a header of ours in the caller's objects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from functools import wraps
from types import ModuleType
from typing import Any

from logging_pkg import conf
from logging_pkg.instrumentation.guard import faults_kept_in
from logging_pkg.instrumentation.http_client.exchange import Exchange, begin, whole_number
from logging_pkg.instrumentation.http_client.failures import is_unsent
from logging_pkg.instrumentation.http_client.patches import Patch

MODULE = "requests.adapters"

_patch = Patch("send")


def watch(module: ModuleType) -> None:
    """Watch its HTTPAdapter. Idempotent.

    Not told apart: what urllib3 sends again by itself, with `HTTPAdapter(max_retries=...)`, is one exchange.
    """
    _patch.put(getattr(module, "HTTPAdapter", None), _watched)


def unwatch() -> None:
    """Undo `watch`."""
    _patch.remove()


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def send(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        exchange: Exchange | None = None
        if conf.settings().enabled and _patch.is_on:
            with faults_kept_in():
                exchange = _begin(request)
        if exchange is None:
            return original(self, request, *args, **kwargs)
        handled = id(sys.exception())
        copied: _Copy | None = None
        try:
            with faults_kept_in():
                copied = _Copy(request, exchange.added_headers) if exchange.added_headers else None
            response = original(self, copied.sent if copied else request, *args, **kwargs)
        except BaseException as error:
            with faults_kept_in():
                exchange.failed(error, is_unsent=_sends_once(self) and is_unsent(error, handled))
            with faults_kept_in():
                if copied:
                    copied.hand_back(error)
            raise
        finally:
            exchange.leave()
        with faults_kept_in():
            exchange.answered(response.status_code, response.headers)
        with faults_kept_in():
            if copied:
                copied.hand_back(response)
        return response

    return send


def _begin(request: Any) -> Exchange | None:
    headers = request.headers
    size = 0 if request.body is None else whole_number(headers.get("Content-Length"))
    return begin("requests", str(request.method), request.url, headers, size)


class _Copy:
    """A request to send in place of the caller's, which another thread may be sending at this moment, too.

    Attributes:
        sent: the same, with our headers.
    """

    __slots__ = ("_attributes", "_headers", "_request", "sent")

    def __init__(self, request: Any, added: dict[str, str]) -> None:
        self._request = request
        self.sent = copy(request)
        self.sent.headers = request.headers.copy()
        self.sent.headers.update(added)
        self._attributes = vars(self.sent).copy()
        self._headers = self.sent.headers.copy()

    def hand_back(self, answer: Any) -> None:
        """What an adapter of the project's has done to the copy is done to the caller's, which the answer names."""
        request, sent = self._request, self.sent
        for name, value in vars(sent).items():
            if name != "headers" and value is not self._attributes.get(name):
                setattr(request, name, value)
        for name, value in sent.headers.items():
            if value != self._headers.get(name):
                request.headers[name] = value
        for name in self._headers:
            if name not in sent.headers:
                request.headers.pop(name, None)
        if getattr(answer, "request", None) is sent:
            answer.request = request


def _sends_once(adapter: Any) -> bool:
    """Whether urllib3 gives up at the first failure. Else an earlier try than the one it tells of may have arrived."""
    return getattr(getattr(adapter, "max_retries", None), "total", 0) == 0  # or False
