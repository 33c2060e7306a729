"""Text that is stored encrypted: the tokens of Google accounts.

In: text from the application, and the keys of the setting TOKEN_ENCRYPTION_KEYS. Out: ciphertext in the database, text
when a row is read. Never: a look-up by such a column; a key or a text in an error.

Fernet (AES-128-CBC with HMAC-SHA256) of the `cryptography` package. The first key encrypts, every key decrypts: to
replace a key, put the new one in front and run `manage.py encrypt_tokens`.
"""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models

if TYPE_CHECKING:
    _TextField = models.TextField[str, str]
else:
    _TextField = models.TextField


class UnreadableSecret(Exception):
    """What is stored cannot be decrypted with any of the keys."""


class EncryptedTextField(_TextField):
    """A TextField whose column holds ciphertext; an empty text stays empty."""

    def get_prep_value(self, value: Any) -> Any:
        """Encrypt what goes to the database."""
        return encrypted(str(value)) if value else value

    def from_db_value(self, value: str | None, expression: object, connection: object) -> str | None:
        """Decrypt what comes from it.

        Raises:
            UnreadableSecret: none of the keys is the one it was encrypted with.
        """
        if not value:
            return value
        try:
            return decrypted(value)
        except InvalidToken:
            raise UnreadableSecret(
                f"{self.model.__name__}.{self.name}: none of the keys in TOKEN_ENCRYPTION_KEYS decrypts it; add the "
                "key it was encrypted with behind the others"
            ) from None


def encrypted(text: str) -> str:
    """The ciphertext of a text that is not empty."""
    return _cipher().encrypt(text.encode()).decode()


def decrypted(ciphertext: str) -> str:
    """The text that was encrypted. Raises InvalidToken where no key is the one it was encrypted with."""
    return _cipher().decrypt(ciphertext.encode()).decode()


def _cipher() -> MultiFernet:
    return _cipher_of(tuple(settings.TOKEN_ENCRYPTION_KEYS))


@lru_cache(maxsize=4)
def _cipher_of(keys: tuple[str, ...]) -> MultiFernet:
    if not keys:
        raise ImproperlyConfigured(
            "no key to encrypt Google tokens with: put one into a file (`manage.py encrypt_tokens --new-key`) and name "
            "the file in TOKEN_ENCRYPTION_KEYS_FILE"
        )
    return MultiFernet([Fernet(_key(key)) for key in keys])


def _key(text: str) -> bytes:
    """A Fernet key as it is; any other text (development's) by its digest."""
    try:
        Fernet(text)
    except ValueError:
        return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return text.encode()


def new_key() -> str:
    """A new random key."""
    return Fernet.generate_key().decode()
