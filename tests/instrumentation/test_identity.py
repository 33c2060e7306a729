"""Tests of logging_pkg.instrumentation.identity.

In: keys and addresses. Out: assertions on what events carry. Never: Django.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import UUID

import pytest

from logging_pkg.instrumentation.identity import account_hash_of, user_id_of
from logging_pkg.testing import capture_events

HASH = re.compile(r"[0-9a-f]{32}")


@pytest.mark.parametrize("key", [17, UUID(int=5)])
def test_a_number_or_uuid_is_told_as_it_is_without_a_key_file(key: object) -> None:
    """It names nobody, and the person on call can look it up."""
    assert user_id_of(key) == str(key)


def test_a_key_that_may_be_an_address_is_hashed_in_any_case() -> None:
    """A user model with the e-mail address as its primary key must not put it into events."""
    assert HASH.fullmatch(user_id_of("anna@example.org"))


def test_with_a_key_file_every_key_is_hashed_with_it(tmp_path: Path) -> None:
    """Another key gives another hash, so a hash cannot be looked up without it."""
    told = []
    for number in range(2):
        file = tmp_path / f"key{number}"
        file.write_bytes(bytes([65 + number]) * 32)
        with capture_events(user_id_key_file=file):
            told.append((user_id_of(17), account_hash_of("anna@example.org")))
    assert all(HASH.fullmatch(value) for pair in told for value in pair)
    assert told[0][0] != told[1][0]
    assert told[0][1] != told[1][1]
