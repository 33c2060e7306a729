"""The real google-api-python-client, pointed at a fake server; a clock to move; a receiver of notifications.

In: the `fake` fixture. Out: services, fixtures. Never: a mock.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import google_auth_httplib2
import httplib2
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document

from calendar_sync.fake_google import Clock, FakeGoogleServer, demo_accounts
from tests.calendar_sync.fake_google.receiver import Receiver


class Hands:
    """A clock's hands, to be moved by a test."""

    def __init__(self, start: dt.datetime) -> None:
        self.at = start.timestamp()

    def clock(self) -> Clock:
        return Clock(epoch=lambda: self.at, steady=lambda: self.at)

    def move_to(self, moment: dt.datetime) -> None:
        self.at = moment.timestamp()


def service_for(url: str, credentials: Credentials, http: httplib2.Http | None = None) -> Any:
    """Calendar v3 of the client library with its API at `url`, batch requests included."""
    text = resources.files("googleapiclient.discovery_cache.documents").joinpath("calendar.v3.json").read_text("utf-8")
    document = {**json.loads(text), "rootUrl": url, "baseUrl": f"{url}calendar/v3/"}
    authorized = google_auth_httplib2.AuthorizedHttp(credentials, http=http or httplib2.Http(timeout=10))
    return build_from_document(document, http=authorized)


@pytest.fixture
def make_service(fake: FakeGoogleServer) -> Iterator[Callable[[int], Any]]:
    """Make the service of the n-th account; all are closed in the end."""
    made: list[Any] = []

    def make(index: int = 0) -> Any:
        made.append(service_for(fake.url, Credentials(demo_accounts(index + 1)[index].token)))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture
def service(make_service: Callable[[int], Any]) -> Any:
    """The first account's service."""
    return make_service(0)


def reason_of(error: Any) -> tuple[int, str]:
    """Status and Google's reason of an HttpError."""
    return int(error.resp.status), error.error_details[0]["reason"]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def watch(service, calendar_ids, receiver):
    """Watch a calendar's events."""

    def make(channel_id: str = "c1", calendar: int = 0, **fields: Any) -> dict[str, Any]:
        body = {"id": channel_id, "type": "web_hook", "address": receiver.url, **fields}
        return dict(service.events().watch(calendarId=calendar_ids[calendar], body=body).execute())

    return make
