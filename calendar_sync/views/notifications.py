"""Google's push notifications: they say that something has changed, not what.

In: POSTs from Google, with the channel and its secret in headers. Out: 204 and a sync asked for; the worker does it,
under this request's correlation. Never: a sync within the request (Google gives up after seconds), a body read.

Source: Google Calendar API guide, "Push notifications".
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from calendar_sync.sync.requests import request_sync_of_channel


@csrf_exempt  # Google has no cookie of ours; the channel's token is what proves the sender
@require_POST
@never_cache
def google_notification(request: HttpRequest) -> HttpResponse:
    """204, or 404 where channel and token are not a pair of ours: Google then stops sending."""
    headers = request.headers
    is_ours = request_sync_of_channel(
        headers.get("X-Goog-Channel-ID", ""),
        headers.get("X-Goog-Channel-Token", ""),
        # The first message of a channel only says that it is open.
        is_change=headers.get("X-Goog-Resource-State") != "sync",
    )
    return HttpResponse(status=204 if is_ours else 404)
