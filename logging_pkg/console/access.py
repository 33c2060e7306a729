"""Who may look: staff, and for the metrics endpoint whoever has the token.

In: requests. Out: the view's answer, or a way to sign in, or 403. Never: a word of the data to anybody else, a token
in a log or compared byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings as django_settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache

from logging_pkg import conf

View = Callable[..., HttpResponseBase]
_SCHEME = "bearer "


def is_staff(request: HttpRequest) -> bool:
    """Whether an active member of staff asks."""
    user = getattr(request, "user", None)
    return bool(user is not None and user.is_active and user.is_staff)


def staff_only(view: View) -> View:
    """Nobody else: who is not signed in may do so, others get 403; nothing is kept by caches."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if is_staff(request):
            return view(request, *args, **kwargs)
        user = getattr(request, "user", None)
        if user is not None and user.is_authenticated:
            raise PermissionDenied("the console is for staff")
        login = resolve_url(django_settings.LOGIN_URL)
        if request.headers.get("HX-Request") == "true":
            # A redirect would put the sign-in page into the middle of this one.
            return HttpResponse(status=401, headers={"HX-Redirect": f"{login}?next={request.path}"})
        return redirect_to_login(request.get_full_path(), login)

    return guarded


def staff_or_token(view: View) -> View:
    """Staff, or `Authorization: Bearer …` with the token of METRICS_TOKEN_FILE; others get 401."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # The token first: a scraper has no session, and needs no look into the database.
        if _has_token(request) or is_staff(request):
            return view(request, *args, **kwargs)
        return HttpResponse(
            "expected a staff session, or the token of METRICS_TOKEN_FILE as Authorization: Bearer …\n",
            status=401,
            content_type="text/plain; charset=utf-8",
            headers={"WWW-Authenticate": "Bearer"},
        )

    return guarded


def _has_token(request: HttpRequest) -> bool:
    path = conf.settings().metrics_token_file
    given = request.headers.get("Authorization", "")
    if path is None or not given.lower().startswith(_SCHEME):
        return False
    try:
        # At each request, so that a new token needs no restart.
        expected = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return False
    return bool(expected) and constant_time_compare(given[len(_SCHEME) :].strip(), expected)
