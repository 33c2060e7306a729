"""record_action: one event per action, under a name that is listed."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from logging_pkg import record_action
from logging_pkg.exceptions import InvalidEventError
from logging_pkg.instrumentation.user import listed
from logging_pkg.testing import assert_event, capture_events
from logging_pkg.writer import get_writer

EVENT = "user.action_recorded"
LISTED = ("signed_in", "report_exported")


def record(action: str = "signed_in", user: object = 7, *, day: bool = False, kind: bool = False) -> None:
    record_action(action, user, is_first_of_day=day, is_first_of_action=kind)


@pytest.mark.parametrize("day", [False, True])
@pytest.mark.parametrize("kind", [False, True])
def test_an_action_is_an_event(day: bool, kind: bool) -> None:
    """Its name, the user's key, and as numbers, to be summed, whether it is a first."""
    with capture_events(user_actions=LISTED) as events:
        record(day=day, kind=kind)

    event = assert_event(events, EVENT, count=1, action="signed_in", user_id="7")
    assert (event["is_first_of_day"], event["is_first_of_action"]) == (int(day), int(kind))


def test_an_action_that_is_not_listed_names_those_that_are() -> None:
    """In strict mode it is a mistake in the code, and nothing is emitted."""
    with capture_events(user_actions=LISTED) as events:
        with pytest.raises(
            InvalidEventError, match=r'the action "clicked" is not in USER_ACTIONS \(listed: signed_in, r'
        ):
            record("clicked")
        assert events == []


def test_without_a_list_the_error_says_so() -> None:
    """Where the setting was forgotten; a long name is cut."""
    with capture_events(user_actions=()), pytest.raises(InvalidEventError, match=r"listed: none yet") as caught:
        record("x" * 500)
    assert "x" * 65 not in str(caught.value)


@pytest.mark.parametrize("action", ["clicked", "Clicked on Bob's report", "", "x" * 500])
def test_in_production_it_is_other(action: str) -> None:
    """Whatever the name, it is not in the event."""
    with capture_events(user_actions=LISTED, strict=False) as events:
        record(action, day=True)

    assert_event(events, EVENT, count=1, action="other", is_first_of_day=1)
    assert "Bob" not in str(events)


def test_a_user_who_may_be_an_address_is_hashed() -> None:
    """A number or a UUID names nobody; anything else may."""
    with capture_events(user_actions=LISTED) as events:
        record(user="anna@example.org")
        record(user=UUID(int=5))

    assert [len(event["user_id"]) for event in events] == [32, 36]
    assert "anna" not in str(events)


def test_with_a_key_file_every_user_is_hashed(tmp_path: Path) -> None:
    """The same one the same."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    with capture_events(user_actions=LISTED, user_id_key_file=key) as events:
        record(user=7)
        record(user=7)
        record(user=8)

    first, second, other = (event["user_id"] for event in events)
    assert first == second != other
    assert len(first) == 32


def test_the_name_can_be_asked_for_before() -> None:
    """To count first ones by it: all that are not listed are one."""
    with capture_events(user_actions=LISTED, strict=False):
        assert [listed(name) for name in ("signed_in", "clicked", "tapped")] == ["signed_in", "other", "other"]
    with capture_events(user_actions=LISTED), pytest.raises(InvalidEventError):
        listed("clicked")


def test_a_failure_of_the_writer_is_no_failure_of_the_action(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a user does is not stopped by what is told of it; the fault is counted."""

    def fails(*_: object) -> None:
        raise OSError

    with capture_events(user_actions=LISTED, strict=False):
        writer = get_writer()
        monkeypatch.setattr(writer, "emit", fails)
        record()
        assert writer.faults == 1
