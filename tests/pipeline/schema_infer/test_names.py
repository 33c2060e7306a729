"""Names of other producers, in the house grammar."""

from __future__ import annotations

import pytest

from logging_pkg.pipeline.schema_infer.names import event_name, field_name
from logging_pkg.schemas.conventions import EVENT_NAME_PATTERN


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("http.request_finished", "http.request_finished"),
        ("User Logged In", "user.logged_in"),
        ("UserLoggedIn", "user.logged_in"),
        ("request finished", "request.finished"),
        ("started", "app.started"),
        ("order/placed!", "order.placed"),
        ("42 is the answer", "app.event_42_is_the_answer"),
        ("step 2", "step.event_2"),
        ("вещь", "message.logged"),
        ("a.b.c", "a.b_c"),
    ],
)
def test_event_names(text: str, name: str) -> None:
    """A good name stays; of others the first word is the domain."""
    assert event_name(text) == name


@pytest.mark.parametrize("text", ["", "..", "x" * 300, f"{'d' * 100}.done", "ÄÖÜ", "__", "1", "a" * 63 + "._"])
def test_whatever_the_text_the_name_is_one(text: str) -> None:
    """By the envelope's grammar and length, so that the file loads."""
    assert EVENT_NAME_PATTERN.fullmatch(event_name(text))
    assert len(event_name(text)) <= 64


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("duration_ms", "duration_ms"),
        ("durationMs", "duration_ms"),
        ("HTTPStatusCode", "http_status_code"),
        ("user-agent", "user_agent"),
        ("elapsedMillis", "elapsed_ms"),
        ("wait seconds", "wait_s"),
        ("@timestamp", "timestamp"),
        ("2nd", "field_2nd"),
        ("ü", "ü"),
    ],
)
def test_field_names(text: str, name: str) -> None:
    """Lower case, underscores, units as the house writes them; what has none of our letters stays."""
    assert field_name(text) == name
