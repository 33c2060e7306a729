"""Refresh tokens and access tokens of the fake server, with google-auth and by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import httplib2
import pytest
import requests
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.errors import HttpError

from calendar_sync.fake_google import ControlClient, FakeGoogle, FakeGoogleServer, QuotaLimits, demo_accounts
from tests.calendar_sync.conftest import SEED
from tests.calendar_sync.fake_google.conftest import Hands, reason_of, service_for

ANNA, BEN = demo_accounts(2)
FORM = {
    "grant_type": "refresh_token",
    "client_id": "id",
    "client_secret": "secret",
    "refresh_token": "fake-refresh-anna",
}


def credentials_at(url: str, token: str | None = None, refresh_token: str = ANNA.refresh_token) -> Credentials:
    return Credentials(
        token, refresh_token=refresh_token, token_uri=f"{url}token", client_id="id", client_secret="secret"
    )


@pytest.fixture
def make_connected(fake) -> Iterator[Any]:
    """Make a service that refreshes its access token, and its credentials."""
    made = []

    def make(token: str | None = None) -> tuple[Any, Credentials]:
        credentials = credentials_at(fake.url, token)
        made.append(service_for(fake.url, credentials))
        return made[-1], credentials

    yield make
    for service in made:
        service.close()


def operations(control: ControlClient) -> list[tuple[str, int | None, int]]:
    return [(entry["operation"], entry["status"], entry["quota_units"]) for entry in control.ledger()]


def ask(url: str, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{url}calendar/v3/users/me/calendarList", headers=headers, timeout=10).status_code


def test_google_auth_gets_an_access_token_before_its_first_request(make_connected, control):
    """The refresh token of an account buys a token that its API accepts; the token request uses no quota."""
    service, credentials = make_connected()

    entries = service.calendarList().list().execute()["items"]

    assert {entry["id"].split(".")[0] for entry in entries} == {"anna"}
    assert credentials.token.startswith("fake-access-")
    assert credentials.expiry - dt.datetime.now(dt.UTC).replace(tzinfo=None) > dt.timedelta(minutes=59)
    assert operations(control) == [("oauth2.token", 200, 0), ("calendarList.list", 200, 1)]
    assert control.ledger()[0]["account"] == ANNA.id


def test_a_token_that_expired_at_the_server_is_refreshed_on_401(make_connected, control):
    """The client finds out by a 401, refreshes and asks again; the 401 used no quota."""
    service, credentials = make_connected()
    service.calendarList().list().execute()
    first = credentials.token
    control.expire_access_tokens(ANNA.id)
    control.clear_ledger()

    service.calendarList().list().execute()

    assert credentials.token != first
    assert operations(control) == [
        ("calendarList.list", 401, 0),
        ("oauth2.token", 200, 0),
        ("calendarList.list", 200, 1),
    ]


def test_an_access_token_lives_as_long_as_it_was_told():
    """expires_in is the lifetime in force when it was issued; a seeded token never expires."""
    hands = Hands(dt.datetime(2026, 3, 1, tzinfo=dt.UTC))
    application = FakeGoogle(SEED, QuotaLimits(None, None), hands.clock(), token_lifetime_s=100)
    with FakeGoogleServer(application) as server:
        control = ControlClient(server.url)
        first = requests.post(f"{server.url}token", data=FORM, timeout=10).json()
        control.set_token_lifetime(200)
        second = requests.post(f"{server.url}token", data=FORM, timeout=10).json()

        assert (first["expires_in"], second["expires_in"]) == (100, 200)
        assert (first["token_type"], first["scope"]) == ("Bearer", "https://www.googleapis.com/auth/calendar")
        hands.at += 99
        assert [ask(server.url, token["access_token"]) for token in (first, second)] == [200, 200]
        hands.at += 1
        assert [ask(server.url, token["access_token"]) for token in (first, second)] == [401, 200]
        hands.at += 10**9
        assert ask(server.url, second["access_token"]) == 401
        assert ask(server.url, ANNA.token) == 200


def test_expiring_all_tokens_spares_those_the_accounts_started_with(fake, control):
    """One account's or everybody's issued tokens end."""
    tokens = {
        account.id: requests.post(
            f"{fake.url}token", data={**FORM, "refresh_token": account.refresh_token}, timeout=10
        ).json()
        for account in (ANNA, BEN)
    }

    control.expire_access_tokens(BEN.id)
    assert [ask(fake.url, tokens[account.id]["access_token"]) for account in (ANNA, BEN)] == [200, 401]
    control.expire_access_tokens()
    assert ask(fake.url, tokens[ANNA.id]["access_token"]) == 401
    assert ask(fake.url, ANNA.token) == 200


def test_a_revoked_account_is_out_until_it_is_connected_again(make_connected, fake, control):
    """No token of it works any more, and its refresh token is an invalid grant; other accounts go on."""
    service, _ = make_connected()
    service.calendarList().list().execute()
    control.revoke(ANNA.id)

    with pytest.raises(RefreshError, match="invalid_grant: Token has been expired or revoked"):
        service.calendarList().list().execute()
    assert [ask(fake.url, account.token) for account in (ANNA, BEN)] == [401, 200]
    assert [account["revoked"] for account in control.state()["accounts"]] == [True, False]
    control.grant(ANNA.id)
    service.calendarList().list().execute()
    assert ask(fake.url, ANNA.token) == 200


@pytest.mark.parametrize("kind", ["refresh", "access"])
@pytest.mark.parametrize("place", ["params", "data"])
def test_revoking_one_token_revokes_the_account(fake, control, kind, place):
    """As at Google: an access token takes its refresh token along, and a token that is out is an error."""
    access = requests.post(f"{fake.url}token", data=FORM, timeout=10).json()["access_token"]
    token = {"token": ANNA.refresh_token if kind == "refresh" else access}

    answers = [requests.post(f"{fake.url}revoke", **{place: token}, timeout=10) for _ in range(2)]

    assert (answers[0].status_code, answers[0].json()) == (200, {})
    assert (answers[1].status_code, answers[1].json()["error"]) == (400, "invalid_token")
    assert [ask(fake.url, text) for text in (access, ANNA.token)] == [401, 401]
    assert requests.post(f"{fake.url}token", data=FORM, timeout=10).json()["error"] == "invalid_grant"
    assert [entry["operation"] for entry in control.ledger()[:3]] == ["oauth2.token", "oauth2.revoke", "oauth2.revoke"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"refresh_token": "unknown"}, "invalid_grant"),
        ({"refresh_token": ANNA.token}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"client_id": ""}, "invalid_request"),
        ({"client_secret": ""}, "invalid_request"),
        ({"refresh_token": ""}, "invalid_request"),
    ],
)
def test_what_is_no_grant_is_400(fake, control, change, error):
    """The error is OAuth's own form, with a description."""
    answer = requests.post(f"{fake.url}token", data={**FORM, **change}, timeout=10)

    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert answer.json()["error_description"]
    entry = control.ledger()[-1]
    assert (entry["operation"], entry["reason"], entry["quota_units"]) == ("oauth2.token", error, 0)


def test_faults_meet_the_token_endpoint_when_they_name_it(fake, control):
    """One for any operation passes it by; one that names it answers in OAuth's form, or drops the connection."""
    control.fail("serverError")
    control.set_fault_rates({"serverError": 1})
    assert requests.post(f"{fake.url}token", data=FORM, timeout=10).status_code == 200
    control.clear_faults()
    control.fail("serverError", operation="oauth2.token", retry_after_s=2)
    control.fail("drop", operation="oauth2.token")

    answer = requests.post(f"{fake.url}token", data=FORM, timeout=10)

    assert (answer.status_code, answer.json()["error"], answer.headers["Retry-After"]) == (503, "backendError", "2")
    with pytest.raises(requests.ConnectionError):
        requests.post(f"{fake.url}token", data=FORM, timeout=10)
    assert [entry["status"] for entry in control.ledger()] == [200, 503, None]


def test_a_static_token_without_a_refresh_token_cannot_be_renewed(fake, control):
    """What holds only an access token is at its end when that is revoked."""
    service = service_for(fake.url, Credentials(ANNA.token), httplib2.Http(timeout=10))
    control.revoke(ANNA.id)

    with pytest.raises((RefreshError, HttpError)):
        service.calendarList().list().execute()
    service.close()


def test_an_issued_token_is_good_for_a_batch(make_connected, control):
    """Each request of a batch carries it."""
    service, _ = make_connected()
    service.calendarList().list().execute()
    answers: list[Any] = []
    batch = service.new_batch_http_request(callback=lambda *answer: answers.append(answer))
    for _ in range(2):
        batch.add(service.calendarList().list(maxResults=1))
    batch.execute()

    assert [reason_of(error) if error else 200 for _, _, error in answers] == [200, 200]
    assert operations(control)[-1] == ("batch", 200, 2)


def test_a_token_request_is_a_post(fake, control):
    """GET /token is no route of the server."""
    assert requests.get(f"{fake.url}token", params=FORM, timeout=10).status_code == 404
    assert control.ledger()[-1]["operation"] == "unknown"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda control: control.revoke("nobody"), "account 'nobody': no such account; expected one of 1000"),
        (lambda control: control.grant("nobody"), "no such account"),
        (lambda control: control.expire_access_tokens("nobody"), "no such account"),
        (lambda control: control.expire_sync_tokens(account="nobody"), "no such account"),
        (lambda control: control.add_calendar("nobody", "x"), "no such account"),
        (lambda control: control.set_token_lifetime(0), "expected more than 0"),
    ],
)
def test_a_wrong_control_request_says_what_was_expected(control, wrong, message):
    """An account that does not exist, a lifetime that is none."""
    with pytest.raises(ValueError, match=message):
        wrong(control)
