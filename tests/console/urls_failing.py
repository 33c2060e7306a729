"""The site with two pages that fail after they have looked at who asks.

In: requests. Out: exceptions. Never: an answer.
"""

from django.http import Http404, HttpRequest, HttpResponse
from django.urls import path

from calendar_sync.urls import handler404, handler500
from calendar_sync.urls import urlpatterns as of_the_site

__all__ = ["handler404", "handler500", "urlpatterns"]


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError(f"signed in: {request.user.is_authenticated}")


def gone(request: HttpRequest) -> HttpResponse:
    raise Http404(f"signed in: {request.user.is_authenticated}")


urlpatterns = [*of_the_site, path("fail/", fail), path("gone/", gone)]
