"""The calls the application makes to Google Calendar, on google-api-python-client.

In: an account's identity and token; calendar IDs, sync tokens, event bodies.
Out: pages and resources as Google sends them; GoogleError otherwise.
Never: the network for the API's description (static discovery), or one connection in two threads.
"""

from __future__ import annotations

import datetime as dt
import functools
import json
import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from types import TracebackType
from typing import Any, Self

from django.conf import settings
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.discovery import build_from_document

from calendar_sync.google import limiter, retry
from calendar_sync.google.errors import AlreadyDeleted, AlreadyExists
from logging_pkg.instrumentation.google_api import InstrumentedHttp, InstrumentedHttpRequest, google_account

Resource = dict[str, Any]


@dataclass(frozen=True)
class CalendarPage:
    """One page of a listing: the last one has the `sync_token`, all others the `next_page_token`."""

    items: list[Resource]
    sync_token: str | None
    next_page_token: str = ""


def new_event_id() -> str:
    """An ID for an event to insert: 26 hexadecimal digits, which are valid base32hex as Google requires."""
    return secrets.token_hex(13)


class GoogleCalendarClient:
    """The Calendar API for one account, in one thread (httplib2 connections are not thread-safe). Close it after use.

    Every method raises GoogleError; see `calendar_sync.google.errors`. `sleep` waits out a back-off, in seconds; a
    worker passes one that ends early when the worker is told to stop.
    """

    def __init__(
        self,
        account_id: str,
        credentials: Credentials,
        *,
        api_root: str | None = None,
        timeout_s: float | None = None,
        policy: retry.RetryPolicy | None = None,
        sleep: Callable[[float], object] = time.sleep,
        patience_s: float = math.inf,
    ) -> None:
        self._account_id = account_id
        self._quotas = limiter.quotas_of(account_id)
        self._patience_s = patience_s
        self._policy = policy or retry.RetryPolicy(
            settings.GOOGLE_MAX_ATTEMPTS, settings.GOOGLE_BACKOFF_BASE_S, settings.GOOGLE_BACKOFF_MAX_S
        )
        self._sleep = sleep
        http = InstrumentedHttp(timeout=settings.GOOGLE_TIMEOUT_S if timeout_s is None else timeout_s)
        self._http = AuthorizedHttp(credentials, http=http)
        self._service = _service(api_root or settings.GOOGLE_CALENDAR_API_ROOT)

    def list_calendars(self, sync_token: str = "", page_token: str = "") -> Iterator[CalendarPage]:
        """The account's list of calendars; with a sync token what changed since, deleted ones marked `deleted`.

        With a page token the listing, begun with the same sync token or without one, goes on at that page.
        """
        parameters = _tokens(sync_token, page_token)
        calendars = self._service.calendar_list
        return self._pages(calendars, calendars.list(maxResults=250, **parameters))

    def list_events(
        self, calendar_id: str, sync_token: str = "", page_token: str = "", page_size: int | None = None
    ) -> Iterator[CalendarPage]:
        """A calendar's events; with a sync token what changed since, deleted ones with status `cancelled`.

        With a page token the listing, begun with the same sync token or without one, goes on at that page. `page_size`
        is in events, 1 to 2,500; GOOGLE_PAGE_SIZE when None. Raises SyncTokenExpired while iterating, when the sync
        token cannot be used any more, and PageTokenRefused when the page token cannot.
        """
        parameters = _tokens(sync_token, page_token)
        events = self._service.events
        size = page_size or settings.GOOGLE_PAGE_SIZE
        return self._pages(events, events.list(calendarId=calendar_id, maxResults=size, **parameters))

    def get_event(self, calendar_id: str, event_id: str) -> Resource:
        """One event, also a deleted one (status `cancelled`)."""
        return self._resource(self._service.events.get(calendarId=calendar_id, eventId=event_id))

    def insert_event(self, calendar_id: str, event: Resource) -> Resource:
        """Create an event under `event["id"]`, or under a new ID.

        The ID is the client's: when an attempt's answer was lost, the next attempt finds the event there (409), and it
        is the event as inserted that is returned. So it cannot be inserted twice.
        """
        body = {"id": new_event_id(), **event}
        try:
            return self._resource(self._service.events.insert(calendarId=calendar_id, body=body))
        except AlreadyExists:
            return self.get_event(calendar_id, body["id"])

    def patch_event(self, calendar_id: str, event_id: str, changes: Resource, *, etag: str | None = None) -> Resource:
        """Change some fields of an event; with `etag` only if it still is that version (ApiRejected 412 otherwise)."""
        request = self._service.events.patch(calendarId=calendar_id, eventId=event_id, body=changes)
        if etag is not None:
            request.headers["If-Match"] = etag
        return self._resource(request)

    def delete_event(self, calendar_id: str, event_id: str) -> None:
        """Delete an event; one that is deleted already is no error."""
        try:
            self._call(self._service.events.delete(calendarId=calendar_id, eventId=event_id))
        except AlreadyDeleted:
            return

    def watch(
        self, calendar_id: str | None, *, channel_id: str, token: str, address: str, lifetime: dt.timedelta
    ) -> Resource:
        """Have Google tell `address` of every change to a calendar's events, or (None) to the list of calendars."""
        body = {
            "id": channel_id,
            "type": "web_hook",
            "address": address,
            "token": token,
            "params": {"ttl": str(int(lifetime.total_seconds()))},
        }
        if calendar_id is None:
            return self._resource(self._service.calendar_list.watch(body=body))
        return self._resource(self._service.events.watch(calendarId=calendar_id, body=body))

    def stop_channel(self, channel_id: str, resource_id: str) -> None:
        """End a channel."""
        self._call(self._service.channels.stop(body={"id": channel_id, "resourceId": resource_id}))

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _pages(self, collection: Any, request: Any) -> Iterator[CalendarPage]:
        while request is not None:
            answer = self._call(request)
            yield CalendarPage(answer.get("items", []), answer.get("nextSyncToken"), answer.get("nextPageToken", ""))
            request = collection.list_next(request, answer)

    def _resource(self, request: Any) -> Resource:
        return dict(self._call(request))

    def _call(self, request: Any) -> Any:
        request.http = self._http
        with google_account(self._account_id):
            return retry.execute(request, self._policy, self._sleep, self._turn)

    def _turn(self, refused_for_s: float | None) -> float:
        """Seconds until the next attempt may be sent; where Google has just refused one, everybody else's wait too."""
        if refused_for_s is not None:
            limiter.postpone(self._quotas, refused_for_s)
        return limiter.take_turn(self._quotas, patience_s=self._patience_s)


def _tokens(sync_token: str, page_token: str) -> dict[str, str]:
    return {name: token for name, token in (("syncToken", sync_token), ("pageToken", page_token)) if token}


@dataclass(frozen=True)
class _Service:
    """What makes requests; they are sent over the connection of whoever asked for them."""

    calendar_list: Any
    events: Any
    channels: Any


@functools.lru_cache(maxsize=4)
def _service(api_root: str) -> _Service:
    """Made once per process.

    The library makes all methods of a resource anew each time it is asked for: 7 ms of CPU, a third of a small sync.
    """
    made = service_of(api_root)
    return _Service(made.calendarList(), made.events(), made.channels())


def service_of(api_root: str) -> Any:
    """The library's service from its own description of Calendar v3, with `rootUrl` replaced.

    Not `client_options={"api_endpoint": ...}`: that leaves batch requests going to the public endpoint.
    """
    text = resources.files("googleapiclient.discovery_cache.documents").joinpath("calendar.v3.json").read_text("utf-8")
    root = api_root.rstrip("/") + "/"
    document: Resource = json.loads(text)
    return build_from_document(
        {**document, "rootUrl": root, "baseUrl": root + document["servicePath"]},
        http=InstrumentedHttp(),
        requestBuilder=InstrumentedHttpRequest,
    )
