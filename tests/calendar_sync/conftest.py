"""A real fake Google server per test, and rows for its accounts.

In: nothing. Out: fixtures. Never: a mock; requests go over loopback HTTP.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
import requests
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.cache import cache
from google.oauth2.credentials import Credentials
from pytest_django import Settings

from calendar_sync.fake_google import (
    ControlClient,
    FakeGoogle,
    FakeGoogleServer,
    QuotaLimits,
    SeedOptions,
    demo_accounts,
)
from calendar_sync.google import GoogleCalendarClient, RetryPolicy
from calendar_sync.models import Event, GoogleAccount
from calendar_sync.services import engagement

SEED = SeedOptions(accounts=2, first_year=2024, last_year=2026)
_databases = count(1)


@pytest.fixture(autouse=True)
def _empty_cache() -> Iterator[None]:
    """Primary keys come again in the next test; what is cached under them must not, nor what tests elsewhere left."""
    _forget()
    yield
    _forget()


def _forget() -> None:
    cache.clear()
    engagement.forget()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The address of a real PostgreSQL, that of the pgserver package."""
    with warnings.catch_warnings():
        # It warns at import where XDG_RUNTIME_DIR is not set: no business of this project's.
        warnings.simplefilter("ignore")
        import pgserver
    # Not below tmp_path: each pytest session that starts takes other users' access to its root away, PostgreSQL's too.
    with tempfile.TemporaryDirectory(prefix="logpipe-postgresql-") as directory:
        server = pgserver.get_server(Path(directory) / "data")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def shared_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty database that several processes can use at once."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'db.sqlite3'}"
    import psycopg

    address: str = request.getfixturevalue("postgresql")
    name = f"shared_{next(_databases)}"
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return address.replace("/postgres?", f"/{name}?")


@pytest.fixture
def fake() -> Iterator[FakeGoogleServer]:
    """A fake Google with two accounts, five calendars each, and no quota."""
    with FakeGoogleServer(FakeGoogle(SEED, QuotaLimits(None, None))) as server:
        yield server


@pytest.fixture
def control(fake: FakeGoogleServer) -> ControlClient:
    """Drives the fake server."""
    return ControlClient(fake.url)


@pytest.fixture
def google(fake: FakeGoogleServer, settings: Settings) -> FakeGoogleServer:
    """The fake server, and the application set to use it with small pages and hardly any back-off."""
    settings.GOOGLE_CALENDAR_API_ROOT = fake.url
    settings.GOOGLE_PAGE_SIZE = 20
    settings.GOOGLE_BACKOFF_BASE_S = 0.001
    settings.GOOGLE_TOKEN_URI = f"{fake.url}token"
    settings.GOOGLE_CLIENT_ID = settings.GOOGLE_CLIENT_SECRET = "any"
    # The fake server has no quota unless a test sets one; nor then has the client reason to wait.
    settings.GOOGLE_QUOTA_PER_MINUTE = settings.GOOGLE_QUOTA_PER_USER_MINUTE = 0
    return fake


@pytest.fixture
def calendar_ids(control: ControlClient) -> list[str]:
    """IDs of the first account's calendars."""
    return [calendar["id"] for calendar in control.state()["accounts"][0]["calendars"]]


class Api:
    """Plain HTTP requests to the API, as one account."""

    def __init__(self, url: str, token: str) -> None:
        self._root = f"{url}calendar/v3"
        self._session = requests.Session()
        self._session.headers["Authorization"] = f"Bearer {token}"

    def __call__(
        self, method: str, *path: str, json: object = None, headers: object = None, **query: object
    ) -> requests.Response:
        address = "/".join([self._root, *(requests.utils.quote(part, safe="") for part in path)])
        return self._session.request(method, address, params=query, json=json, headers=headers, timeout=10)

    def close(self) -> None:
        self._session.close()


@pytest.fixture
def api(fake: FakeGoogleServer) -> Iterator[Api]:
    """Requests as the first account."""
    requester = Api(fake.url, demo_accounts(1)[0].token)
    yield requester
    requester.close()


@pytest.fixture
def sleeps() -> list[float]:
    """What `google_client` waited, in seconds; it does not really wait."""
    return []


@pytest.fixture
def google_client(google: FakeGoogleServer, sleeps: list[float]) -> Iterator[GoogleCalendarClient]:
    """The first account's client, four attempts at most."""
    account = demo_accounts(1)[0]
    with GoogleCalendarClient(
        account.id, Credentials(account.token), policy=RetryPolicy(4, 1.0, 30.0), sleep=sleeps.append
    ) as client:
        yield client


@pytest.fixture
def make_account(db: None) -> Callable[[int], GoogleAccount]:
    """Make the row of the n-th account of the fake server, for a user of its own."""

    def make(index: int) -> GoogleAccount:
        seed = demo_accounts(index + 1)[index]
        user = User.objects.create_user(seed.email.split("@")[0], seed.email)
        return GoogleAccount.objects.create(user=user, google_id=seed.id, email=seed.email, access_token=seed.token)

    return make


@pytest.fixture
def account(make_account: Callable[[int], GoogleAccount]) -> GoogleAccount:
    """The first account of the fake server; no calendars yet."""
    return make_account(0)


@pytest.fixture
def other_account(make_account: Callable[[int], GoogleAccount], account: GoogleAccount) -> GoogleAccount:
    """The second account, another user's."""
    return make_account(1)


def already_active(user: User) -> None:
    """Have a user done everything once today, so that no page has to note a first time."""
    for action in django_settings.LOGPIPE["USER_ACTIONS"]:
        engagement.record(user.pk, action)


def local_events(calendar_google_id: str) -> dict[str, tuple[str, str]]:
    """What the database has of a calendar: etag and summary by event ID."""
    rows = Event.objects.filter(calendar__google_id=calendar_google_id)
    return {row.google_id: (row.etag, row.summary) for row in rows}


def server_events(control: ControlClient, calendar_google_id: str) -> dict[str, tuple[str, str]]:
    """What the server has of a calendar, in the same form."""
    return {item["id"]: (item["etag"], item["summary"]) for item in control.events(calendar_google_id)}
