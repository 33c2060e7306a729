"""The real google-api-python-client, pointed at a fake server.

In: the `fake` fixture. Out: services. Never: a mock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib import resources
from typing import Any

import google_auth_httplib2
import httplib2
import pytest
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build_from_document

from calendar_sync.fake_google import FakeGoogleServer, demo_accounts


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
