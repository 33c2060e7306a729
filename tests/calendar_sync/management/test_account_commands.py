"""connect_google_account and encrypt_tokens."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection

from calendar_sync.encryption import UnreadableSecret, new_key
from calendar_sync.models import GoogleAccount
from calendar_sync.sync import sync_account
from logging_pkg.testing import assert_event
from tests.calendar_sync.processes import MANAGE, ROOT

pytestmark = pytest.mark.django_db
EMAIL = "anna@example.com"


@pytest.fixture
def user(db) -> User:
    return User.objects.create_user("anna")


@pytest.fixture
def authorized(tmp_path: Path) -> Path:
    """A file as `google-oauthlib-tool --save` writes it."""
    content = {
        "refresh_token": "fake-refresh-anna",
        "token_uri": "https://oauth2.googleapis.com/token",
        "client_id": "any",
        "client_secret": "any",
        "scopes": ["https://www.googleapis.com/auth/calendar"],
    }
    path = tmp_path / "authorized.json"
    path.write_text(json.dumps(content))
    return path


def connect(path: Path, *more: str, user: str = "anna") -> str:
    out = StringIO()
    call_command(
        "connect_google_account", "--user", user, "--email", EMAIL, "--authorized-user", str(path), *more, stdout=out
    )
    return out.getvalue()


def test_an_account_is_connected_and_can_be_synced(user, google, authorized, control, log_events, capsys, caplog):
    """With a first access token, under the address where no ID is given; no token is on the terminal or in a log."""
    caplog.set_level(logging.DEBUG)
    out = connect(authorized)

    account = GoogleAccount.objects.get()
    assert out == f"account {account.pk} {EMAIL}: connected\n"
    assert (account.user, account.google_id, account.email) == (user, EMAIL, EMAIL)
    assert account.refresh_token == "fake-refresh-anna"
    assert account.access_token.startswith("fake-access-")
    assert account.token_expires_at is not None
    report = sync_account(account, "command")
    assert report.failed == []
    assert account.calendars.count() == 5
    printed = capsys.readouterr()
    told = out + printed.out + printed.err + json.dumps(log_events)
    told += "".join(record.getMessage() for record in caplog.records if record.name.startswith("calendar_sync"))
    assert "fake-refresh" not in told
    assert "fake-access" not in told
    assert_event(log_events, "google_api.call_finished", operation="oauth2.token", status_code=200, count=1)


def test_connected_again_it_keeps_its_calendars(user, google, authorized):
    """The row is the same, with its sync state and switches; its tokens are the new ones."""
    connect(authorized, "--google-id", "1")
    account = GoogleAccount.objects.get()
    sync_account(account, "command")
    account.calendars.update(enabled=False)
    GoogleAccount.objects.update(access_token="old", last_error="connect the account again")

    out = connect(authorized, "--google-id", "1")

    assert "connected again" in out
    again = GoogleAccount.objects.get()
    assert again.pk == account.pk
    assert again.access_token.startswith("fake-access-")
    assert again.sync_token
    assert again.calendars.filter(enabled=False).count() == 5


def test_an_account_whose_tokens_cannot_be_decrypted_is_connected_again(user, google, authorized, settings):
    """That is the way out when a key is lost."""
    connect(authorized)
    settings.TOKEN_ENCRYPTION_KEYS = [new_key()]
    with pytest.raises(UnreadableSecret):
        GoogleAccount.objects.get()

    assert "connected again" in connect(authorized)
    assert GoogleAccount.objects.get().refresh_token == "fake-refresh-anna"


def test_an_unknown_user_is_named(google, authorized):
    """With the command that makes one."""
    with pytest.raises(CommandError, match=r"no user 'nobody'; `manage.py createsuperuser` makes one"):
        connect(authorized, user="nobody")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file or directory"),
        ("{", "not JSON"),
        ('"text"', 'no "refresh_token" in it'),
        ('{"token": "secret-token"}', r'no "refresh_token" in it, expected an authorized-user file \(docs/GOOGLE_ACC'),
        ('{"refresh_token": ""}', 'no "refresh_token" in it'),
        ('{"refresh_token": 7}', 'no "refresh_token" in it'),
        (b"\xff\xfe", "not JSON"),
    ],
)
def test_a_file_that_is_none_is_named(user, google, control, tmp_path, content, message):
    """By its path and what was expected, without its content; nothing is stored, and Google is not asked."""
    path = tmp_path / "file.json"
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(CommandError, match=message) as caught:
        connect(path)

    assert str(path) in str(caught.value)
    assert "secret-token" not in str(caught.value)
    assert not GoogleAccount.objects.exists()
    assert control.ledger() == []


def test_the_file_of_documentation_is_there():
    """The error names a page."""
    assert (ROOT / "docs" / "GOOGLE_ACCOUNTS.md").exists()


@pytest.mark.parametrize("trouble", ["revoked", "no client", "no server", "outage"])
def test_a_token_that_brings_no_access_is_refused(user, google, authorized, control, settings, trouble):
    """Google's refusal, a client that is not set, no server: what to check is said, and nothing is stored."""
    if trouble == "revoked":
        control.revoke(control.state()["accounts"][0]["id"])
    elif trouble == "no client":
        settings.GOOGLE_CLIENT_ID = ""
    elif trouble == "no server":
        settings.GOOGLE_TOKEN_URI = "http://127.0.0.1:1/token"
    else:
        control.fail("serverError", status=502, operation="oauth2.token")

    with pytest.raises(CommandError, match=r"gives no access token for this file .*GOOGLE_CLIENT_ID") as caught:
        connect(authorized)

    assert settings.GOOGLE_TOKEN_URI in str(caught.value)
    assert "fake-refresh" not in str(caught.value)
    assert not GoogleAccount.objects.exists()


def test_a_failed_connection_leaves_the_account_as_it_was(user, google, authorized, control):
    """Its old tokens may still work."""
    connect(authorized)
    before = GoogleAccount.objects.values().get()
    content = json.loads(authorized.read_text())
    authorized.write_text(json.dumps({**content, "refresh_token": "of-another-client"}))

    with pytest.raises(CommandError, match="gives no access token"):
        connect(authorized)

    assert GoogleAccount.objects.values().get() == before


def test_all_tokens_are_encrypted_with_the_newest_key(account, other_account, settings):
    """A key in front and the command: afterwards the new key alone reads everything."""
    old, new = new_key(), new_key()
    settings.TOKEN_ENCRYPTION_KEYS = [old]
    for row, token in ((account, "first"), (other_account, "second")):
        row.refresh_token = token
        row.save_tokens()
    before = stored()
    settings.TOKEN_ENCRYPTION_KEYS = [new, old]
    out = StringIO()

    call_command("encrypt_tokens", stdout=out)

    assert out.getvalue() == "tokens of 2 accounts are encrypted with the first key\n"
    assert not set(before) & set(stored())
    settings.TOKEN_ENCRYPTION_KEYS = [new]
    rows = GoogleAccount.objects.order_by("pk")
    assert [(row.access_token, row.refresh_token) for row in rows] == [
        ("fake-token-anna", "first"),
        ("fake-token-ben", "second"),
    ]


def test_where_one_token_cannot_be_read_none_is_changed(account, other_account, settings):
    """The error says what is missing; the command can be run again when it is there."""
    first_keys = settings.TOKEN_ENCRYPTION_KEYS
    settings.TOKEN_ENCRYPTION_KEYS = [new_key()]
    other_account.save_tokens()
    settings.TOKEN_ENCRYPTION_KEYS = [new_key(), *first_keys]
    before = stored()

    with pytest.raises(CommandError, match=r"GoogleAccount.access_token: none of the keys in TOKEN_ENCRYPTION_KEYS"):
        call_command("encrypt_tokens", stdout=StringIO())
    assert stored() == before


def test_a_new_key_is_made_before_there_is_one():
    """On a server without any key or database: a key of Fernet's, another one each time, and nothing else."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    environ |= {"SECRET_KEY": "x" * 50, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none", "LOGPIPE_SINK": "none"}
    printed = [
        subprocess.run(
            [*MANAGE, "encrypt_tokens", "--new-key"],
            env=environ,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        ).stdout
        for _ in range(2)
    ]

    assert len({*printed}) == 2
    for text in printed:
        program = f"from cryptography.fernet import Fernet; Fernet({text.strip()!r})"
        subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def stored() -> list[tuple[str, str]]:
    """Both columns as the database has them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token, refresh_token FROM calendar_sync_googleaccount ORDER BY id")
        return cursor.fetchall()
