"""encryption: what is in the column, which key reads it, and what is said when none does."""

from __future__ import annotations

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from calendar_sync.encryption import UnreadableSecret, decrypted, encrypted, new_key
from calendar_sync.models import GoogleAccount

TOKEN = "ya29.a-token-of-google"


def column(name: str = "access_token") -> str:
    """What the database has, past the field."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM calendar_sync_googleaccount")
        ((value,),) = cursor.fetchall()
    return value


@pytest.mark.parametrize("name", ["access_token", "refresh_token"])
def test_the_column_holds_ciphertext(account, name):
    """However it is saved: the row's own save, an update, save_tokens. Each time another one, and the row reads it."""
    seen = set()
    for save in (
        account.save,
        lambda: GoogleAccount.objects.update(**{name: TOKEN}),
        account.save_tokens,
        lambda: GoogleAccount.objects.bulk_update([account], [name]),
    ):
        setattr(account, name, TOKEN)
        save()
        seen.add(column(name))
        assert getattr(GoogleAccount.objects.get(), name) == TOKEN
        assert GoogleAccount.objects.values_list(name, flat=True).get() == TOKEN
    assert len(seen) == 4
    assert not any(TOKEN in value for value in seen)


def test_an_empty_token_stays_empty(account):
    """There is nothing to hide, and the column says that there is no token."""
    GoogleAccount.objects.update(refresh_token="")

    assert column("refresh_token") == ""
    assert GoogleAccount.objects.get().refresh_token == ""


@pytest.mark.parametrize("text", ["a", "ü€😀", "x" * 10_000])
def test_any_text_comes_back(text):
    """Short or long, in any script."""
    assert decrypted(encrypted(text)) == text


def test_the_first_key_encrypts_and_every_key_decrypts(account, settings):
    """A new key in front: what is there stays readable, what is saved from now on needs the new one."""
    old, new = new_key(), new_key()
    settings.TOKEN_ENCRYPTION_KEYS = [old]
    GoogleAccount.objects.update(access_token=TOKEN)

    settings.TOKEN_ENCRYPTION_KEYS = [new, old]
    assert GoogleAccount.objects.get().access_token == TOKEN
    GoogleAccount.objects.update(access_token=TOKEN)
    settings.TOKEN_ENCRYPTION_KEYS = [new]
    assert GoogleAccount.objects.get().access_token == TOKEN


def test_a_token_that_no_key_decrypts_is_named_without_its_value(account, settings):
    """The error has the field and what to do; neither the token, its ciphertext nor a key is in it or behind it."""
    GoogleAccount.objects.update(access_token=TOKEN)
    ciphertext = column()
    settings.TOKEN_ENCRYPTION_KEYS = [new_key()]

    with pytest.raises(UnreadableSecret, match=r"GoogleAccount.access_token: none of the keys") as caught:
        GoogleAccount.objects.get()

    assert "add the key it was encrypted with behind the others" in str(caught.value)
    assert caught.value.__suppress_context__
    for secret in (TOKEN, ciphertext, settings.TOKEN_ENCRYPTION_KEYS[0]):
        assert secret not in str(caught.value)


def test_a_column_that_was_never_encrypted_is_unreadable(account):
    """A token in clear, put there past the application, is no token."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE calendar_sync_googleaccount SET access_token = %s", [TOKEN])

    with pytest.raises(UnreadableSecret):
        GoogleAccount.objects.get()


def test_without_a_key_nothing_is_stored(account, settings):
    """The error says how to make one and where to name it."""
    settings.TOKEN_ENCRYPTION_KEYS = []

    with pytest.raises(ImproperlyConfigured, match=r"encrypt_tokens --new-key.*TOKEN_ENCRYPTION_KEYS_FILE"):
        account.save()


def test_a_key_is_one_of_fernets_or_any_text(settings):
    """A key as `--new-key` makes it is used as it is; development's, made of SECRET_KEY, by its digest."""
    key = new_key()
    settings.TOKEN_ENCRYPTION_KEYS = [key]
    assert Fernet(key).decrypt(encrypted(TOKEN).encode()).decode() == TOKEN

    settings.TOKEN_ENCRYPTION_KEYS = ["development-only"]
    made = encrypted(TOKEN)
    assert decrypted(made) == TOKEN
    settings.TOKEN_ENCRYPTION_KEYS = ["development-only."]
    assert decrypted(encrypted(TOKEN)) == TOKEN
    settings.TOKEN_ENCRYPTION_KEYS = ["another text"]
    with pytest.raises(InvalidToken):
        decrypted(made)


@pytest.mark.django_db(transaction=True)
def test_the_migration_encrypts_tokens_that_were_in_clear_and_back():
    """A row of the release before keeps its token, encrypted; backwards it is in clear again; an empty one stays so."""
    before = [("calendar_sync", "0001_initial")]
    after = [("calendar_sync", "0002_tokens_listings_push_and_engagement")]
    executor = MigrationExecutor(connection)
    latest = executor.loader.graph.leaf_nodes()
    executor.migrate(before)
    try:
        apps = executor.loader.project_state([*before, ("auth", "0001_initial")]).apps
        user = apps.get_model("auth", "User").objects.create(username="anna")
        accounts = apps.get_model("calendar_sync", "GoogleAccount").objects
        accounts.create(user_id=user.pk, google_id="1", email="anna@example.com", access_token=TOKEN)
        accounts.create(user_id=user.pk, google_id="2", email="anna2@example.com", access_token="")

        for _ in range(2):
            MigrationExecutor(connection).migrate(after)
            with connection.cursor() as cursor:
                cursor.execute("SELECT access_token FROM calendar_sync_googleaccount ORDER BY google_id")
                stored, empty = (value for (value,) in cursor.fetchall())
            assert (decrypted(stored), empty) == (TOKEN, "")
            assert TOKEN not in stored
            MigrationExecutor(connection).migrate(before)
            assert sorted(accounts.values_list("access_token", flat=True)) == ["", TOKEN]
    finally:
        MigrationExecutor(connection).migrate(latest)
