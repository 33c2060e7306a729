"""Watch what this process asks other servers with `requests` and `urllib`: `http_client.request_finished`.

In: nothing but a call at start-up. Out: one event per HTTP exchange, correlation headers to allow-listed hosts.
Never: imports either library, changes what is sent to any other host, what is returned, or what is raised.
"""

from __future__ import annotations

from logging_pkg import conf
from logging_pkg.instrumentation.http_client import requests_adapter, urllib_handler
from logging_pkg.instrumentation.http_client.post_import import forget, when_imported

__all__ = ["unwatch_http_clients", "watch_http_clients"]

_LIBRARIES = (requests_adapter, urllib_handler)


def watch_http_clients() -> None:
    """Watch both libraries, now or once they are imported. Idempotent; does nothing where emission is off.

    Seen is what goes through `requests.adapters.HTTPAdapter.send` (subclasses included that call it) and
    `urllib.request.AbstractHTTPHandler.do_open`. Not seen: adapters that do not inherit from HTTPAdapter, urllib3,
    http.client, httpx and aiohttp used directly, file:, data: and ftp: URLs.
    """
    if not conf.settings().enabled:
        return
    for library in _LIBRARIES:
        when_imported(library.MODULE, library.watch)


def unwatch_http_clients() -> None:
    """Undo `watch_http_clients`. What another tool has wrapped since stays wrapped, and passes through."""
    for library in _LIBRARIES:
        forget(library.MODULE)
        library.unwatch()
