"""Middleware as other packages have it, to stand around and below ours; and some that interferes, to be found.

In: requests. Out: notes, responses. Never: anything that knows the package under test.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.cache import cache
from django.core.exceptions import MiddlewareNotUsed, PermissionDenied, SuspiciousOperation
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin

from tests.interference.trail import note

GetResponse = Callable[[HttpRequest], Any]


class SyncOnly:
    """The simplest form; under ASGI Django runs it, and what is below, in a thread."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        note("middleware", "sync before", request.path)
        response = self.get_response(request)
        note("middleware", "sync after", response.status_code, hasattr(response, "render"))
        return response


class AsyncOnly:
    """Under WSGI Django runs it in an event loop of its own."""

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> Any:
        note("middleware", "async before", request.path)
        response = await self.get_response(request)
        note("middleware", "async after", response.status_code)
        return response


@sync_and_async_middleware
def both(get_response: GetResponse) -> Any:
    """A function for either kind."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> Any:
            note("middleware", "both, async", request.path)
            return await get_response(request)
    else:

        def middleware(request: HttpRequest) -> Any:  # type: ignore[misc]
            note("middleware", "both, sync", request.path)
            return get_response(request)

    return middleware


class Mixin(MiddlewareMixin):
    """The old form with its hooks."""

    def process_request(self, request: HttpRequest) -> None:
        note("middleware", "process_request", type(request).__name__)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        note("middleware", "process_view", getattr(view, "__name__", ""), args, kwargs)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        note("middleware", "process_exception", type(error).__name__)
        return HttpResponse("excused", status=418) if error.args == ("excuse me",) else None

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        note("middleware", "process_template_response", response.is_rendered)
        response.context_data["added"] = "by middleware"
        return response

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        note("middleware", "process_response", response.status_code, response.streaming)
        return response


class WrapsStream(MiddlewareMixin):
    """Rewrites streams, as Django's documentation shows it."""

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        if response.streaming and not response.is_async:
            response.streaming_content = (chunk.upper() for chunk in response.streaming_content)
        elif response.streaming:
            response.streaming_content = _upper(response.streaming_content)
        else:
            response.content = response.content.upper()
        return response


async def _upper(chunks: Any) -> Any:
    async for chunk in chunks:
        yield chunk.upper()


class NotUsed:
    """Takes itself out."""

    def __init__(self, get_response: GetResponse) -> None:
        note("middleware", "not used")
        raise MiddlewareNotUsed("not here")


class RaisesBefore(SyncOnly):
    """Fails before the view, in the way the path names."""

    def __call__(self, request: HttpRequest) -> Any:
        raise _ERRORS[request.GET["error"]]("before the view")


class RaisesAfter(SyncOnly):
    """Fails after the view."""

    def __call__(self, request: HttpRequest) -> Any:
        self.get_response(request)
        raise _ERRORS[request.GET["error"]]("after the view")


_ERRORS: dict[str, type[Exception]] = {
    "404": Http404,
    "403": PermissionDenied,
    "400": SuspiciousOperation,
    "500": LookupError,
}


class ShortCut(SyncOnly):
    """Answers itself; neither resolver nor view runs."""

    def __call__(self, request: HttpRequest) -> Any:
        return HttpResponse("shortcut", status=203, headers={"X-Short": "1"})


class ReplacesResponse(SyncOnly):
    """Turns whatever comes into a stream of its own."""

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        return StreamingHttpResponse([b"replaced ", str(response.status_code).encode()])


# -- what instrumentation must not do, one class per kind of interference --


class AddsHeader(SyncOnly):
    """One header more."""

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        response.headers["X-Seen"] = "1"
        return response


class AddsCookie(SyncOnly):
    """One cookie more."""

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        response.set_cookie("seen", "1")
        return response


class AddsQuery(SyncOnly):
    """One statement more."""

    def __call__(self, request: HttpRequest) -> Any:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return self.get_response(request)


class TouchesUser(SyncOnly):
    """Asks who is signed in: reads the session, and so sets Vary."""

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        if hasattr(request, "user"):
            str(request.user.pk)
            request.session.accessed = True
            response.headers["Vary"] = "Cookie"
        return response


class ReadsBody(SyncOnly):
    """Reads the body before the view does."""

    def __call__(self, request: HttpRequest) -> Any:
        len(request.body)
        return self.get_response(request)


class ConsumesStream(SyncOnly):
    """Turns a stream into one chunk."""

    def __call__(self, request: HttpRequest) -> Any:
        response = self.get_response(request)
        if response.streaming and not response.is_async:
            response.streaming_content = [b"".join(response.streaming_content)]
        return response


class ChangesException(SyncOnly):
    """Swallows an error by answering it itself."""

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse:
        return HttpResponse("swallowed", status=500)


class ChangesCache(SyncOnly):
    """Takes a stored None for a miss."""

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        inner = type(cache._connections["default"]).get  # type: ignore[attr-defined]
        if not getattr(inner, "is_wrong", False):

            def get(self: Any, key: Any, default: Any = None, version: Any = None) -> Any:
                return inner(self, key, default, version) or default

            get.is_wrong = True  # type: ignore[attr-defined]
            type(cache._connections["default"]).get = get  # type: ignore[attr-defined]
