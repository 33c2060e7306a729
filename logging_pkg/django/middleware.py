"""The middleware: maps Django's requests and responses to plain values for `RequestWatch`.

In: requests, responses, streams. Out: the same, plus one response header. Never: a query, cookie, changed body or Vary.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import lru_cache, partial
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.contrib.admindocs.views import simplify_regex
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.functional import LazyObject, empty

from logging_pkg import conf
from logging_pkg.conf import Settings
from logging_pkg.context import activate, carry_context, current_span, set_unobserved
from logging_pkg.django.adapter import require_application
from logging_pkg.instrumentation.guard import keep_in
from logging_pkg.instrumentation.identity import user_id_of
from logging_pkg.instrumentation.process import start_heartbeat
from logging_pkg.instrumentation.request.queue_time import queue_time_ms
from logging_pkg.instrumentation.request.remote_parent import NO_REMOTE_PARENT, RemoteParent, remote_parent
from logging_pkg.instrumentation.request.watch import RequestTotals, RequestWatch, fill_path
from logging_pkg.instrumentation.request.watchdog import start_watchdog
from logging_pkg.schemas.conventions import UNROUTED

#: A client that went away has no status; nginx's 499 is what the field uses for it.
CLIENT_CLOSED_REQUEST = 499
#: Statuses whose responses have no body (RFC 9110).
_BODILESS = frozenset({204, 304})

#: A longer Content-Length is no length, and no 64-bit number: anybody could send it to keep a request out of the log.
_MAX_LENGTH_DIGITS = 18

_PARAMETER = re.compile(r"<(?:[^<>:]+:)?([^<>:]*)>")
_ID_PARAMETER = re.compile(r"\{(?:id|pk|uuid|\w+_(?:id|pk|uuid))\}")


class ObservabilityMiddleware:
    """Put it first in MIDDLEWARE. Runs as sync or async, whichever the handler is, without a thread hop."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        require_application()
        settings = conf.settings()
        if not settings.enabled:
            raise MiddlewareNotUsed("METRICS_ENABLED is off")
        self.get_response = get_response
        self._is_async = iscoroutinefunction(get_response)
        if self._is_async:
            markcoroutinefunction(self)
        self._excluded = tuple(path for path in settings.excluded_paths if not path.endswith("*"))
        prefixes = tuple(path[:-1] for path in settings.excluded_paths if path.endswith("*"))
        self._excluded_prefixes = prefixes or ("\0",)  # no path starts with it
        start_heartbeat()
        start_watchdog()

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        """Serve a request, watched unless its path is excluded."""
        if request.path in self._excluded or request.path.startswith(self._excluded_prefixes):
            return self._serve_unobserved_async(request) if self._is_async else self._serve_unobserved(request)
        if self._is_async:
            return self._serve_async(request)
        watch = _watch(request)
        previous = activate(watch.span)
        try:
            watch.started()
            response: HttpResponseBase = self.get_response(request)
        except BaseException as error:
            _finish(watch, request, None, error=error)
            raise
        finally:
            activate(previous)
        return _respond(watch, request, response)

    def _serve_unobserved(self, request: HttpRequest) -> HttpResponseBase:
        """Nor are its queries anybody's whose unit has been lost."""
        previous = set_unobserved(True)
        try:
            response: HttpResponseBase = self.get_response(request)
        finally:
            set_unobserved(previous)
        return response

    async def _serve_unobserved_async(self, request: HttpRequest) -> HttpResponseBase:
        previous = set_unobserved(True)
        try:
            response: HttpResponseBase = await self.get_response(request)
        finally:
            set_unobserved(previous)
        return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        watch = _watch(request)
        previous = activate(watch.span)
        try:
            watch.started(asyncio.current_task())
            response: HttpResponseBase = await self.get_response(request)
        except (asyncio.CancelledError, GeneratorExit) as error:  # the latter where the loop itself has ended
            _finish(watch, request, None, outcome="cancelled", error=error)
            raise
        except BaseException as error:
            _finish(watch, request, None, error=error)
            raise
        finally:
            activate(previous)
        return _respond(watch, request, response)


def remember_exception(**_: Any) -> None:
    """Receiver of `got_request_exception`: keep the exception Django is about to turn into a 500."""
    totals = current_span().totals
    if isinstance(totals, RequestTotals):
        totals.error = sys.exc_info()[1]


def _watch(request: HttpRequest) -> RequestWatch:
    settings = conf.settings()
    remote = _remote_parent(request, settings) if settings.trusted_correlation_sources else NO_REMOTE_PARENT
    watch = RequestWatch(request.method or "", partial(route_of, request), remote)
    if settings.request_start_header:
        name = "HTTP_" + settings.request_start_header.upper().replace("-", "_")
        watch.queue_ms = queue_time_ms(request.META.get(name), time.time())
    request.logging_pkg_span = watch.span  # type: ignore[attr-defined]
    return watch


def _remote_parent(request: HttpRequest, settings: Settings) -> RemoteParent:
    def header(name: str) -> str | None:
        value: str | None = request.META.get("HTTP_" + name.upper().replace("-", "_"))
        return value

    return remote_parent(header, str(request.META.get("REMOTE_ADDR", "")), settings)


def _respond(watch: RequestWatch, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not isinstance(response, HttpResponseBase) or not getattr(response, "is_rendered", True):
        # A middleware's None, a template nobody has rendered: the server will fail on it, as it would without us.
        _finish(watch, request, None)
        return response
    try:
        watch.responded()
        header = watch.totals.settings.correlation_header
        if header:
            # Two ASCII words: nothing to convert, and no exception to catch for a header that is not there.
            response.headers._store.setdefault(header.lower(), (header, watch.span.correlation_id))
        if response.streaming:
            _watch_stream(watch, request, response)
        else:
            # The server strips the body of an answer to HEAD.
            size = 0 if request.method == "HEAD" else len(response.content)  # type: ignore[attr-defined]
            _finish(watch, request, response, response_bytes=size)
    except Exception as error:
        keep_in(error)
    return response


def _watch_stream(watch: RequestWatch, request: HttpRequest, response: HttpResponseBase) -> None:
    stream = _Stream(watch, request, response)
    # Past the property's setter, which would drop a FileResponse's file and with it the server's sendfile.
    inner = getattr(response, "_iterator", None)
    if inner is not None:
        wrapped = stream.watch_async(inner) if response.is_async else stream.watch(inner)  # type: ignore[attr-defined]
        response._iterator = wrapped  # type: ignore[attr-defined]
    closers = response._resource_closers  # type: ignore[attr-defined]
    # What the body does when it is closed half-way (a rollback, a query in `finally`) is the request's.
    previous = activate(watch.span)
    closers[:] = [carry_context(closer) for closer in closers]
    activate(previous)
    # Some servers never call close(), and an unconsumed stream has only its closers: both ends finish, the first wins.
    closers.append(stream.closed)


class _Stream:
    """The body of a streaming response, counted as it goes by.

    The request's span is current while the body's own code runs, never while its consumer's does: a stream that is
    dropped half-way ends wherever the garbage collector runs, perhaps in the middle of another request.
    """

    def __init__(self, watch: RequestWatch, request: HttpRequest, response: HttpResponseBase) -> None:
        self._watch = watch
        self._span = watch.span
        self._request = request
        self._response = response
        self._bytes = 0

    def watch(self, inner: Any) -> Iterator[Any]:
        iterator = iter(inner)
        while True:
            previous = activate(self._span)
            try:
                chunk = next(iterator)
                self._count(chunk)
            except StopIteration:
                break
            except BaseException as error:
                self._finish("server_error", error)
                raise
            finally:
                activate(previous)
            try:
                yield chunk
            except GeneratorExit:
                self._finish("client_disconnect")
                raise
        self._finish(None)

    async def watch_async(self, inner: Any) -> AsyncIterator[Any]:
        iterator = aiter(inner)
        while True:
            previous = activate(self._span)
            try:
                chunk = await anext(iterator)
                self._count(chunk)
            except StopAsyncIteration:
                break
            except asyncio.CancelledError:
                self._finish("client_disconnect")
                raise
            except BaseException as error:
                self._finish("server_error", error)
                raise
            finally:
                activate(previous)
            try:
                yield chunk
            except (GeneratorExit, asyncio.CancelledError):
                self._finish("client_disconnect")
                raise
        self._finish(None)

    def _count(self, chunk: Any) -> None:
        if not self._bytes:
            self._watch.responded()  # its first byte is here
        # As HttpResponseBase.make_bytes does.
        if isinstance(chunk, memoryview):
            self._bytes += chunk.nbytes
        else:
            self._bytes += len(chunk if isinstance(chunk, bytes) else str(chunk).encode(self._response.charset))

    def closed(self) -> None:
        """The server has closed the response."""
        announced = str(self._response.headers.get("Content-Length", ""))
        if self._bytes == 0 and getattr(self._response, "file_to_stream", None) is not None and announced.isdigit():
            self._bytes = int(announced)  # the server sent the file itself (wsgi.file_wrapper)
            self._finish(None)
        elif self._bytes == 0 and (self._request.method == "HEAD" or self._response.status_code in _BODILESS):
            self._finish(None)  # the server has no use for a body
        else:
            self._finish("client_disconnect")

    def _finish(self, outcome: str | None, error: BaseException | None = None) -> None:
        _finish(self._watch, self._request, self._response, outcome=outcome, response_bytes=self._bytes, error=error)


def _finish(
    watch: RequestWatch,
    request: HttpRequest,
    response: HttpResponseBase | None,
    *,
    outcome: str | None = None,
    response_bytes: int = 0,
    error: BaseException | None = None,
) -> None:
    try:
        if response is not None:
            status, is_streaming = response.status_code, bool(response.streaming)
        else:
            status = CLIENT_CLOSED_REQUEST if outcome == "cancelled" else 500
            is_streaming = False
        length = request.META.get("CONTENT_LENGTH")
        watch.finish(
            status=status,
            outcome=outcome,
            response_bytes=response_bytes,
            request_bytes=_announced(str(length)) if length else None,
            path=_path_of(request) if watch.totals.settings.path_parameters else None,
            user_id=_user_id(request),
            is_streaming=is_streaming,
            is_htmx=request.META.get("HTTP_HX_REQUEST") == "true",
            error=error,
        )
        if (ended := watch.totals.ended) is not None:
            # Requests are part of a circle, so what they hold waits for the garbage collector: let it be little.
            request.logging_pkg_span = ended  # type: ignore[attr-defined]
    except Exception as fault:
        keep_in(fault)


def _announced(length: str) -> int | None:
    return int(length) if length.isdecimal() and len(length) <= _MAX_LENGTH_DIGITS else None


def route_of(request: HttpRequest) -> str:
    """The route template, IDs as `{id}`; `unrouted` when nothing matched. Never resolves again."""
    match = getattr(request, "resolver_match", None)
    return UNROUTED if match is None else _template(match.route)


@lru_cache(maxsize=2048)
def _named_template(route: str) -> str:
    """`accounts/<int:account_id>/` -> `/accounts/{account_id}/`; regular expressions simplified as admindocs does."""
    text = simplify_regex(route) if any(mark in route for mark in "^$(\\") else route
    joined = _PARAMETER.sub(r"{\1}", text)
    return (joined if joined.startswith("/") else "/" + joined)[:200]


@lru_cache(maxsize=2048)
def _template(route: str) -> str:
    """The same with `{id}` for every parameter that names one: id, pk, …_id, …_pk, uuid."""
    return _ID_PARAMETER.sub("{id}", _named_template(route))


def _path_of(request: HttpRequest) -> str | None:
    match = getattr(request, "resolver_match", None)
    if match is None:
        return None
    allowed = conf.settings().path_parameters
    return _ID_PARAMETER.sub("{id}", fill_path(_named_template(match.route), match.kwargs, allowed))


def known_user(request: HttpRequest) -> Any:
    """The request's user if somebody has looked the user up already, else None: asking costs queries and sets Vary."""
    known = request.__dict__
    user = known.get("_cached_user") or known.get("_acached_user") or known.get("user")
    if user is not None and isinstance(user, LazyObject):
        # Past LazyObject's own look-up of attributes, which would ask for the user.
        user = object.__getattribute__(user, "_wrapped")
    return None if user is empty else user


def _user_id(request: HttpRequest) -> str | None:
    key = getattr(known_user(request), "pk", None)
    return None if key is None else user_id_of(key)
