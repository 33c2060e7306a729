"""Watch `requests`: every exchange its HTTPAdapter makes.

In: the module `requests.adapters`, once it is imported. Out: exchanges.
Never: changes the request, the response or the exception; leaves a header of ours in the caller's objects.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
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
        own = sent = request.headers
        try:
            with faults_kept_in():
                request.headers = sent = _with(own, exchange.added_headers)
            response = original(self, request, *args, **kwargs)
        except BaseException as error:
            with faults_kept_in():
                exchange.failed(error, is_unsent=_sends_once(self) and is_unsent(error, handled))
            raise
        finally:
            if request.headers is sent:
                request.headers = own
            if sent is not own:
                _carry_over(sent, own, exchange.added_headers)
            exchange.leave()
        with faults_kept_in():
            exchange.answered(response.status_code, response.headers)
        return response

    return send


def _begin(request: Any) -> Exchange | None:
    headers = request.headers
    size = 0 if request.body is None else whole_number(headers.get("Content-Length"))
    return begin("requests", str(request.method), request.url, headers, size)


def _with(own: Any, added: dict[str, str]) -> Any:
    """The headers to send. A copy: the caller's object may be in use elsewhere, for another host."""
    if not added:
        return own
    sent = own.copy()
    sent.update(added)
    return sent


def _carry_over(sent: Any, own: Any, added: dict[str, str]) -> None:
    """What an adapter of the project's has changed in the headers that were sent is changed in the caller's, too."""
    with faults_kept_in():
        for name in added:
            sent.pop(name, None)
        if sent != own:
            own.clear()
            own.update(sent)


def _sends_once(adapter: Any) -> bool:
    """Whether urllib3 gives up at the first failure. Else an earlier try than the one it tells of may have arrived."""
    return getattr(getattr(adapter, "max_retries", None), "total", 0) == 0  # or False
