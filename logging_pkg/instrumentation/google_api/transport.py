"""httplib2.Http that tells of every request it sends.

In: requests of googleapiclient, of google-auth, of batches. Out: their attempts.
Never: changes a URL, a body, an answer or an exception.
"""

from __future__ import annotations

from functools import wraps
from typing import Any

import httplib2
from google.auth.credentials import Credentials
from google_auth_httplib2 import Request
from googleapiclient import _auth

from logging_pkg import conf
from logging_pkg.instrumentation.google_api.attempt import BATCH_OPERATION, METHODS, TOKEN_OPERATION, Outbound
from logging_pkg.instrumentation.google_api.batch import MEDIA_TYPE, SentParts, sent_parts
from logging_pkg.instrumentation.google_api.calls import ApiCall, running_call
from logging_pkg.instrumentation.google_api.connection import WatchedConnection
from logging_pkg.instrumentation.guard import faults_kept_in

_FORM = "application/x-www-form-urlencoded"
_WATCHED = "logging_pkg_watched"


class InstrumentedHttp(httplib2.Http):  # type: ignore[misc]
    """httplib2.Http that emits one event per request it sends, at the level where retries are separate requests.

    httplib2 sends a request again by itself when a kept-alive connection turns out to be closed, even a POST the
    server may have acted on. Both are attempts, and so is each redirect it follows; an answer out of its cache is none.
    Like its base class it is for one thread at a time.
    """

    #: That of the request under way, redirects included.
    _current: ApiCall | None = None
    _is_in_request = False
    _last_batch: tuple[str, ApiCall] | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        watch_batch_refreshes()

    def request(self, *args: Any, **kwargs: Any) -> Any:
        """Make the request as httplib2 does; raises what it raises."""
        if self._is_in_request:  # httplib2 follows a redirect
            return super().request(*args, **kwargs)
        self._is_in_request = True
        try:
            return super().request(*args, **kwargs)
        finally:
            self._is_in_request = False
            call, self._current = self._current, None
            if call is not None and call is not running_call():
                call.flush(None)

    def _conn_request(self, conn: Any, request_uri: str, method: str, body: Any, headers: Any) -> Any:
        """Send over one connection, as often as httplib2 sees fit."""
        watched: WatchedConnection | None = None
        with faults_kept_in():
            watched = self._watched(conn, method, body, headers)
        if watched is None:
            return super()._conn_request(conn, request_uri, method, body, headers)
        try:
            response, content = super()._conn_request(conn, request_uri, method, body, headers)
        except BaseException as error:
            with faults_kept_in():
                watched.failed(error)
            raise
        finally:
            watched.release()
        with faults_kept_in():
            watched.answered(response, content)
        return response, content

    def _watched(self, conn: Any, method: str, body: Any, headers: Any) -> WatchedConnection:
        content_type = str(headers.get("content-type", "")) if method == "POST" else ""
        parts = sent_parts(content_type, body) if content_type.startswith(MEDIA_TYPE) else None
        call = self._current
        if call is None:
            if parts is not None:
                call = self._batch_call(parts)
            elif content_type.startswith(_FORM) and _is_token_request(body):
                call = ApiCall(TOKEN_OPERATION)
            else:
                call = running_call() or ApiCall(f"unlisted.{method.lower() if method in METHODS else 'other'}")
            self._current = call
        size = len(body) if isinstance(body, str | bytes) else _number(headers.get("content-length"))
        return WatchedConnection(conn, call, Outbound(method, size, parts))

    def _batch_call(self, parts: SentParts) -> ApiCall:
        """A batch sent again, because some of its parts were answered with 401, is a further attempt of one call."""
        if self._last_batch is not None and self._last_batch[0] == parts.batch_id:
            return self._last_batch[1]
        call = ApiCall(BATCH_OPERATION)
        if parts.batch_id is not None:
            self._last_batch = parts.batch_id, call
        return call


def _is_token_request(body: Any) -> bool:
    """Whether a form asks for a token. Source: RFC 6749, 4.1.3 and 6: each grant names its type.

    The path does not say it: token endpoints differ, and an API's own path may end in `/token`.
    """
    if isinstance(body, bytes):
        return body.startswith(b"grant_type=") or b"&grant_type=" in body
    return isinstance(body, str) and (body.startswith("grant_type=") or "&grant_type=" in body)


def _number(text: Any) -> int:
    return int(text) if str(text).isdecimal() else 0


def watch_batch_refreshes() -> None:
    """Have the tokens that a batch refreshes by itself asked for over an InstrumentedHttp. Idempotent.

    googleapiclient refreshes a batch's credentials over a plain Http of its own making, past the one it was given.
    """
    original = _auth.refresh_credentials
    if hasattr(original, _WATCHED) or not conf.settings().enabled:
        return

    @wraps(original)
    def refresh_credentials(credentials: Any) -> Any:
        if not isinstance(credentials, Credentials):
            return original(credentials)
        http = InstrumentedHttp()
        try:
            return credentials.refresh(Request(http))  # type: ignore[no-untyped-call]
        finally:
            http.close()

    setattr(refresh_credentials, _WATCHED, True)
    _auth.refresh_credentials = refresh_credentials
