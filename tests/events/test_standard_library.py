"""Records of the standard library's logging as events: nobody's logging call fails, and no value leaks."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from logging_pkg.context import active, start_span
from logging_pkg.events import StandardLibraryHandler, install_handler
from logging_pkg.events.standard_library import scrub
from logging_pkg.schemas.conventions import MAX_LINE_BYTES
from logging_pkg.testing import LogEvents, assert_event, capture_events

NAME = "tests.events.standard_library"
logger = logging.getLogger(NAME)


@pytest.fixture(autouse=True)
def _handler() -> Iterator[None]:
    """The handler as Django's start-up installs it; loggers the test makes non-propagating are put back."""
    install_handler()
    yield
    for name, other in logging.root.manager.loggerDict.items():
        if name.startswith(NAME) and isinstance(other, logging.Logger):
            other.propagate = True
            other.handlers.clear()
            other.setLevel(logging.NOTSET)


def apart_from_pytest(name: str) -> logging.Logger:
    """A logger whose records reach our handler only: pytest's own formats arguments, and raises when that fails."""
    apart = logging.getLogger(name)
    apart.propagate = False
    apart.setLevel(logging.INFO)
    install_handler()
    return apart


def recorded(events: LogEvents) -> list[dict[str, Any]]:
    return [event for event in events if event["logger"].startswith(NAME)]


def test_a_record_becomes_one_event(log_events: LogEvents) -> None:
    """Template, place, level and unit; the arguments stay out."""
    with active(start_span("request")) as request:
        logger.warning("user %s failed %d times", "bob@example.com", 3)
    (event,) = recorded(log_events)
    assert (event["level"], event["message"]) == ("warning", "user %s failed %d times")
    assert event["source"].startswith(f"{__file__}:")
    assert event["function"] == "test_a_record_becomes_one_event"
    assert event["request_id"] == request.span_id
    assert "arguments" not in event


@pytest.mark.parametrize(
    ("level", "expected"),
    [(10, None), (20, "info"), (25, "info"), (30, "warning"), (40, "error"), (50, "critical"), (99, "critical")],
)
def test_levels(log_events: LogEvents, level: int, expected: str | None) -> None:
    """Any number has a level; what is below the setting is not recorded."""
    logger.log(level, "m")
    assert [event["level"] for event in recorded(log_events)] == ([expected] if expected else [])


def test_arguments_are_told_for_allow_listed_loggers_and_their_children_only() -> None:
    """By name or dotted prefix, as text, scrubbed, bounded."""

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("hunter2")

    with capture_events(log_argument_loggers=(f"{NAME}.allowed",)) as events:
        logging.getLogger(f"{NAME}.allowed").info("%s %s %s", "a@example.com", 5, "x" * 5000)
        logging.getLogger(f"{NAME}.allowed.child").info("%(a)s", {"a": "dict"})
        apart_from_pytest(f"{NAME}.allowed.apart").info("%s", Broken())
        logging.getLogger(f"{NAME}.allowed").info("%s", "\ud800")
        logging.getLogger(f"{NAME}.allowedly").info("%s", "no")
    found = [event.get("arguments") for event in recorded(events)]
    assert found[0] == ["<email>", "5", "x" * 1000]
    assert found[1] == ["dict"]
    assert found[2] == [f"<unprintable {Broken.__qualname__}>"]
    assert found[3] == ["\\ud800"]
    assert found[4] is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail to bob.o+x@mail.example.co.uk failed", "mail to <email> failed"),
        ("jörg@bücher.example said", "<email> said"),
        ("GET /path?token=abc&x=1 done", "GET /path?<query> done"),
        ("password=hunter2, next", "password=<secret>, next"),
        ('{"password": "hunter2", "a": 1}', '{"password": "<secret>", "a": 1}'),
        ("{'client_secret': 'hunter2'}", "{'client_secret': '<secret>'}"),
        ("access_token=hunter2&refresh_token: hunter2", "access_token=<secret>&refresh_token: <secret>"),
        ("api_key: hunter2; sessionid=hunter2", "api_key: <secret>; sessionid=<secret>"),
        ("sent Bearer abc.def-123", "sent Bearer <token>"),
        ("sent Basic aHVudGVyMjo=", "sent Basic <token>"),
        ("token expired", "token expired"),
        ("token a1b2c3d4 expired", "token <token> expired"),
        ("jwt eyJhbGciOiJIUzI1NiJ9.e30.x", "jwt <token>"),
        ("google ya29.a0AfH6SMB", "google <token>"),
        ("digest " + "0f" * 20, "digest <token>"),
        ("postgres://bob:hunter2@localhost/db", "postgres://<credentials>@localhost/db"),
        ("nothing to hide: 3 rows in 4 ms?", "nothing to hide: 3 rows in 4 ms?"),
        ("%s rows of %(table)s", "%s rows of %(table)s"),
    ],
)
def test_what_looks_like_a_value_is_replaced(text: str, expected: str) -> None:
    """Addresses, credentials, query strings."""
    assert scrub(text) == expected


@pytest.mark.parametrize(
    "piece", ["a", "@", "a@", "a.", "?", "?=", "token", "token ", "password_", "://", ":", "eyJ", "-", "0", "a@b."]
)
def test_a_hostile_message_of_many_megabytes_costs_no_time(log_events: LogEvents, piece: str) -> None:
    """Whatever is repeated: cut, marked, and done long before the test's own time limit (a square would take hours)."""
    logger.warning(piece * (5_000_000 // len(piece)))
    (event,) = recorded(log_events)
    assert event.get("shortened_fields") == ["message"] or len(event["message"]) < MAX_LINE_BYTES


@pytest.mark.parametrize(
    "piece",
    ["a", "@", "a@", "a.", "?", "?=", "token", "token ", "password_", "://", ":", "eyJ", "-", "0", "a@b.", "A:b"],
)
def test_scrubbing_takes_linear_time(piece: str) -> None:
    """300,000 characters of anything are done at once; a square of them would outlast the test's own time limit."""
    assert len(scrub(piece * (300_000 // len(piece)))) <= 310_000 * 10


def test_an_fstring_is_scrubbed_in_the_event(log_events: LogEvents) -> None:
    """What the template should not hold is gone from the line."""
    address = "bob@example.com"
    logger.error(f"could not reach {address}, password=hunter2")  # noqa: G004
    assert "bob" not in str(log_events)
    assert "hunter2" not in str(log_events)


def test_exceptions_have_class_and_stack_without_their_message(log_events: LogEvents) -> None:
    """Causes first, innermost frame last; messages may hold values."""
    try:
        try:
            int("hunter2")
        except ValueError as error:
            raise LookupError("hunter2") from error
    except LookupError:
        logger.exception("failed")
    event = assert_event(log_events, "log.message_recorded", error_type="LookupError", logger=NAME)
    assert event["error_stack"].index("ValueError") < event["error_stack"].index("LookupError")
    assert "hunter2" not in str(event)


def test_the_exceptions_own_text_is_taken_out_of_the_message(log_events: LogEvents) -> None:
    """`log.error(str(error))` and `log.error(f"… {error}")` repeat what the exception says."""
    try:
        int("hunter2")
    except ValueError as error:
        logger.exception(str(error))  # noqa: TRY401
        logger.exception(f"could not read it: {error}")  # noqa: G004, TRY401
    assert [event["message"] for event in recorded(log_events)] == ["<ValueError>", "could not read it: <ValueError>"]
    assert "hunter2" not in str(log_events)


@pytest.mark.parametrize(
    "message",
    ["lone \ud800 surrogate", "nul \x00", "", "💥" * 10, ["list"], {"a": 1}, None, 5, ValueError("hunter2"), b"b"],
)
def test_any_message_is_recorded(log_events: LogEvents, message: Any) -> None:
    """Text is kept, anything else is named by its class."""
    logger.warning(message)
    (event,) = recorded(log_events)
    if not isinstance(message, str):
        assert event["message"] == f"<{type(message).__qualname__}>"
    elif message.startswith("lone"):
        assert event["message"] == r"lone \ud800 surrogate"
    else:
        assert event["message"] == message


def test_loggers_that_do_not_propagate_are_reached(log_events: LogEvents) -> None:
    """Those there at installation, once each; later ones when the handler is installed again."""
    early, late = logging.getLogger(f"{NAME}.early"), logging.getLogger(f"{NAME}.late")
    early.propagate = False
    install_handler()
    late.propagate = False
    early.info("one")
    logging.getLogger(f"{NAME}.early.child").info("two")
    late.info("unheard")
    install_handler()
    late.info("three")
    logging.getLogger(f"{NAME}.made_later").info("four")
    assert [event["message"] for event in recorded(log_events)] == ["one", "two", "three", "four"]


def test_installing_again_adds_nothing(log_events: LogEvents) -> None:
    """One record, one event."""
    for _ in range(3):
        handler = install_handler()
    assert [h for h in logging.root.handlers if isinstance(h, StandardLibraryHandler)] == [handler]
    logger.info("once")
    assert len(recorded(log_events)) == 1


def test_a_logging_call_never_fails_even_in_strict_mode(
    log_events: LogEvents, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault inside ours is reported as logging reports its handlers' faults: on stderr, not to the caller."""
    monkeypatch.setattr("logging_pkg.events.standard_library._level", lambda _: "loud")
    logger.info("invalid level: swallowed")
    monkeypatch.setattr("logging_pkg.events.standard_library.scrub", lambda _: 1 / 0)
    logger.info("a bug of ours")
    assert recorded(log_events) == []
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_record_made_while_formatting_another_is_recorded_too(log_events: LogEvents) -> None:
    """An argument whose __str__ logs does not deadlock or recurse without end."""
    apart = apart_from_pytest(f"{NAME}.apart")

    class Logging:
        def __str__(self) -> str:
            apart.info("inner")
            return "outer"

    with capture_events(log_argument_loggers=(NAME,)) as events:
        worker = threading.Thread(target=lambda: apart.info("%s", Logging()), daemon=True)
        worker.start()
        worker.join(20)
        assert not worker.is_alive()
    assert sorted(event["message"] for event in recorded(events)) == ["%s", "inner"]
    assert log_events == []


def test_logging_near_the_recursion_limit_does_not_break_the_logger(log_events: LogEvents) -> None:
    """Deep code may log; afterwards logging still works."""

    def dive(depth: int) -> None:
        if depth:
            dive(depth - 1)
        logger.info("deep")

    try:
        dive(sys.getrecursionlimit() - 60)
    except RecursionError:
        time.sleep(0)
    logger.info("after")
    assert recorded(log_events)[-1]["message"] == "after"


def test_the_text_of_the_exception_being_handled_stays_out(log_events: LogEvents) -> None:
    """Formatted into the message by the caller, as much code does, without exc_info."""
    try:
        int("4111-1111")
    except ValueError as error:
        logger.warning("no number: " + str(error))  # noqa: G003
        logger.warning(str(error))
    logger.warning("later")
    assert [event["message"] for event in recorded(log_events)] == ["no number: <ValueError>", "<ValueError>", "later"]
    assert not any("error_type" in event for event in recorded(log_events))
