"""Where the dashboards of users are cached, and when a cached one no longer counts.

In: a user, the day, a change. Out: a key; a version of the user's data, new with every change.
Never: an old dashboard after a change, however slow its reader was; another user's.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import uuid
import zlib
from functools import partial

from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import DatabaseError, transaction

from calendar_sync.services.rows import AccountRow, CalendarRow, EventCalendar, EventRow

# Versions are never used again, so that one which expired, or that the cache made room with, is only a miss.
_VERSION_TIMEOUT_S = 30 * 86_400
# A release that changes what a row holds must not find the rows of the last one.
_ROWS = (AccountRow, CalendarRow, EventCalendar, EventRow)
_SHAPE = zlib.crc32(repr([[field.name for field in dataclasses.fields(row)] for row in _ROWS]).encode())

logger = logging.getLogger(__name__)


def dashboard_key(user: User, day: dt.datetime) -> str:
    """The key of a user's dashboard of a day, as of now. Ask for it before the rows are read.

    Whoever reads the rows, and is overtaken by a change, then stores what it read under a version that nobody asks for
    any more. The time a user was created is in the key because primary keys come again with another database.
    """
    version = cache.get_or_set(_version_key(user.pk), _new_version, _VERSION_TIMEOUT_S)
    return f"dashboard:{_SHAPE:x}:{user.pk}:{user.date_joined.timestamp()}:{version}:{day:%Y%m%d}"


def forget_dashboard(user_id: int) -> None:
    """What a user's dashboard shows has changed; takes effect with the transaction that changed it.

    A cache that is away is logged and does not fail the change: old dashboards may be seen until they expire.
    """
    try:
        transaction.on_commit(partial(_renew_version, user_id))
    except DatabaseError:
        # The connection is gone: what it had not committed is, too.
        _renew_version(user_id)


def _renew_version(user_id: int) -> None:
    try:
        cache.set(_version_key(user_id), _new_version(), _VERSION_TIMEOUT_S)
    except Exception:  # each backend has its own
        logger.exception("The cache failed; a user's old dashboard may be seen until it expires")


def _version_key(user_id: int) -> str:
    return f"dashboard-version:{user_id}"


def _new_version() -> str:
    return uuid.uuid4().hex
