"""Watch `urllib.request`: every exchange its HTTP and HTTPS handlers make.

In: the module `urllib.request`, once it is imported. Out: exchanges.
Never: changes the request, the response or the exception; leaves a header of ours in the caller's objects.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from functools import wraps
from itertools import chain
from types import ModuleType
from typing import Any

from logging_pkg import conf
from logging_pkg.instrumentation.guard import faults_kept_in
from logging_pkg.instrumentation.http_client.exchange import Exchange, begin, whole_number
from logging_pkg.instrumentation.http_client.failures import is_unsent
from logging_pkg.instrumentation.http_client.patches import Patch

MODULE = "urllib.request"

_patch = Patch("do_open")


def watch(module: ModuleType) -> None:
    """Watch its AbstractHTTPHandler, which HTTP and HTTPS have in common. Idempotent."""
    _patch.put(getattr(module, "AbstractHTTPHandler", None), _watched)


def unwatch() -> None:
    """Undo `watch`."""
    _patch.remove()


def _watched(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def do_open(self: Any, http_class: Any, req: Any, **http_conn_args: Any) -> Any:
        exchange: Exchange | None = None
        if conf.settings().enabled and _patch.is_on:
            with faults_kept_in():
                exchange = _begin(req)
        if exchange is None:
            return original(self, http_class, req, **http_conn_args)
        handled = id(sys.exception())
        sent = req
        try:
            with faults_kept_in():
                sent = _with(req, exchange.added_headers)
            response = original(self, http_class, sent, **http_conn_args)
        except BaseException as error:
            with faults_kept_in():
                exchange.failed(error, is_unsent=is_unsent(error, handled))
            raise
        finally:
            exchange.leave()
        with faults_kept_in():
            exchange.answered(response.status, response.headers)
        return response

    return do_open


def _begin(request: Any) -> Exchange | None:
    size = 0 if request.data is None else whole_number(request.get_header("Content-length"))
    names = chain(request.headers, request.unredirected_hdrs)
    return begin("urllib", request.get_method(), request.full_url, names, size)


def _with(request: Any, added: dict[str, str]) -> Any:
    """The request to send: a copy with headers that no redirect takes along."""
    if not added:
        return request
    sent = copy.copy(request)
    sent.unredirected_hdrs = {**request.unredirected_hdrs, **added}
    return sent
