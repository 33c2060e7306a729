"""Names of people and accounts as values that cannot be read back.

In: a primary key or an account address. Out: the key itself, or a keyed hash. Never: an e-mail address in clear.
"""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from uuid import UUID

from logging_pkg import conf

#: Without a key file hashes only keep addresses out of sight; production sets LOGPIPE_USER_ID_KEY_FILE.
_DEVELOPMENT_KEY = b"logging_pkg development"


def user_id_of(primary_key: object) -> str:
    """A user's primary key as text; its keyed hash (32 hex digits) where a key file is set.

    A key that is neither a number nor a UUID may be a name or an e-mail address: it is hashed in any case.
    """
    key = conf.settings().identity_key
    if not key and isinstance(primary_key, int | UUID):
        return str(primary_key)
    return _hash(key or _DEVELOPMENT_KEY, str(primary_key))


def account_hash_of(account: object) -> str:
    """The keyed hash (32 hex digits) of an account or calendar: stable, so that its events can be found together."""
    return _hash(conf.settings().identity_key or _DEVELOPMENT_KEY, str(account))


@lru_cache(maxsize=8192)
def _hash(key: bytes, text: str) -> str:
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()[:32]
