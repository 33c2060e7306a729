"""Error pages that carry the correlation ID: `handler500 = "logging_pkg.console.errors.server_error"`.

In: a request that failed. Out: the project's own 404.html or 500.html, with `correlation_id`, for staff `trace_url`.
Never: a query: who asks is told from what is known already, because the database may be what failed.
"""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, HttpResponseServerError
from django.template import TemplateDoesNotExist, loader
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html

from logging_pkg.context import REQUEST_ATTRIBUTE, current_unit
from logging_pkg.django.middleware import known_user


def correlation_id_of(request: HttpRequest | None) -> str:
    """The correlation ID of a request; empty where it is not observed."""
    span = getattr(request, REQUEST_ATTRIBUTE, None) or current_unit()
    return "" if span is None else str(span.correlation_id)


def trace_url(some_id: str) -> str:
    """Where the waterfall of an ID is; empty where there is no ID or no console in the project's addresses."""
    try:
        return reverse("logging_pkg_console:trace_of", args=[some_id]) if some_id else ""
    except NoReverseMatch:
        return ""


def error_context(request: HttpRequest | None) -> dict[str, Any]:
    """What an error page may show: `correlation_id`, and `trace_url` where a member of staff looks at it."""
    some_id = correlation_id_of(request)
    user = known_user(request) if request is not None else None
    is_staff = bool(user is not None and getattr(user, "is_staff", False) and getattr(user, "is_active", False))
    return {"correlation_id": some_id, "trace_url": trace_url(some_id) if is_staff else ""}


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """`handler404`."""
    del exception
    return HttpResponseNotFound(_page(request, "404.html", "Not Found"))


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`."""
    return HttpResponseServerError(_page(request, "500.html", "Server Error"))


def _page(request: HttpRequest, name: str, title: str) -> str:
    context = error_context(request)
    try:
        # Without the request, as Django does for a 500: context processors may do what has just failed.
        return loader.get_template(name).render(context)
    except TemplateDoesNotExist:
        told = format_html("<p>Reference: <code>{}</code></p>", context["correlation_id"])
        link = format_html('<p><a href="{}">Waterfall</a></p>', context["trace_url"]) if context["trace_url"] else ""
        return format_html("<!doctype html><html lang=en><title>{0}</title><h1>{0}</h1>{1}{2}", title, told, link)
