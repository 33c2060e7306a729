"""Correlation over HTTP: what goes out, what is believed, and that nothing else changes."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import AsyncClient, Client

from logging_pkg.context import active, start_span
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.django.conftest import MIDDLEWARE

REQUEST = "http.request_finished"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def test_the_response_tells_the_correlation(client: Client, log_events: LogEvents) -> None:
    """The ID in the header is that of the view and of its events, and a UUIDv7."""
    response = client.get("/unit/")
    correlation_id = response["X-Correlation-ID"]
    assert response.content.decode() == correlation_id
    assert_event(log_events, REQUEST, correlation_id=correlation_id)
    assert uuid.UUID(correlation_id).version == 7


def test_two_requests_have_two(client: Client) -> None:
    """Nothing is left over."""
    assert client.get("/unit/").content != client.get("/unit/").content


def test_the_header_can_be_renamed_and_switched_off() -> None:
    """By a setting; a view's own header of that name wins."""
    with capture_events(correlation_header="X-Request-Trace"):
        assert "X-Request-Trace" in Client().get("/").headers
    with capture_events(correlation_header=""):
        response = Client().get("/")
    assert not any("correlation" in name.lower() for name in response.headers)


def test_a_request_inside_another_unit_belongs_to_it(client: Client, log_events: LogEvents) -> None:
    """An internal call, or a test that wraps one."""
    with active(start_span("sync")) as sync:
        client.get("/")
    assert_event(log_events, REQUEST, correlation_id=sync.correlation_id, parent_span_id=sync.span_id)


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Correlation-ID": TRACE},
        {"traceparent": f"00-{TRACE}-{SPAN}-01"},
        {"X-Correlation-ID": "hunter2", "traceparent": "hunter2"},
    ],
)
def test_nobody_is_believed_by_default(client: Client, log_events: LogEvents, headers: dict[str, str]) -> None:
    """An inbound header is neither used nor recorded."""
    client.get("/", headers=headers)
    assert_event(log_events, REQUEST, parent_span_id=None, correlation_id=lambda value: value != TRACE)
    assert not [text for text in (TRACE, SPAN, "hunter2") if text in str(log_events)]


@pytest.mark.parametrize(
    ("sources", "peer", "trusted"),
    [
        (("10.0.0.0/8",), "10.1.2.3", True),
        (("10.0.0.0/8",), "::ffff:10.1.2.3", True),
        (("10.0.0.0/8",), "11.1.2.3", False),
        (("10.0.0.0/8",), "", False),
        (("10.0.0.0/8",), "not an address", False),
        (("192.168.1.1",), "192.168.1.1", True),
        (("2001:db8::/32", "10.0.0.0/8"), "2001:db8::1", True),
        (("2001:db8::/32",), "10.0.0.1", False),
        (("*",), "", True),
    ],
)
def test_a_trusted_network_is_believed(sources: tuple[str, ...], peer: str, trusted: bool) -> None:
    """By the peer's address; traceparent also names the parent."""
    with capture_events(trusted_correlation_sources=sources) as events:
        client = Client(REMOTE_ADDR=peer)
        client.get("/", headers={"X-Correlation-ID": str(uuid.UUID(TRACE))})
        client.get("/", headers={"X-Correlation-ID": "a" * 32, "traceparent": f"00-{TRACE}-{SPAN}-01"})
    first, second = events.named(REQUEST)
    assert (first["correlation_id"] == TRACE, first["parent_span_id"]) == (trusted, None)
    assert (second["correlation_id"] == TRACE, second["parent_span_id"]) == (trusted, SPAN if trusted else None)


@pytest.mark.parametrize(
    "value", ["hunter2", TRACE + "0", TRACE + "\r\nX: y", "0" * 32, "a" * 100_000, "٣" * 32, "", "<script>"]
)
def test_a_trusted_peer_still_cannot_write_anything(value: str) -> None:
    """Full match or nothing: a new ID, and no trace of the value."""
    with capture_events(trusted_correlation_sources=("*",)) as events:
        response = Client().get("/", headers={"X-Correlation-ID": value, "traceparent": value})
    assert uuid.UUID(response["X-Correlation-ID"]).version == 7
    assert not value or value not in str(events)


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/whoami/", "/who/", "/missing/", "/file/"])
def test_headers_cookies_and_body_are_as_without_us(settings: Any, path: str) -> None:
    """But for the one header, the response is what it would be."""
    user = User.objects.create_user("bob")

    def answer() -> tuple[Any, ...]:
        client = Client()
        client.force_login(user)
        response = client.get(path)
        headers = {name: value for name, value in response.headers.items() if name != "X-Correlation-ID"}
        body = b"".join(response) if response.streaming else response.content
        response.close()
        return response.status_code, headers, body, sorted(response.cookies)

    watched = answer()
    settings.MIDDLEWARE = MIDDLEWARE[1:]
    assert answer() == watched


@pytest.mark.django_db
def test_a_user_somebody_looked_up_is_told_by_primary_key(
    log_events: LogEvents, django_assert_num_queries: Any
) -> None:
    """Looked up by the view: told. Not looked up: left out, without a query of ours. By no other name."""
    user = User.objects.create_user("bob", email="bob@example.com")
    client = Client()
    client.force_login(user)
    client.get("/whoami/")
    assert_event(log_events, REQUEST, user_id=str(user.pk))
    log_events.clear()
    with django_assert_num_queries(0):
        client.get("/who/")
    assert "user_id" not in assert_event(log_events, REQUEST, count=1)
    assert "bob" not in str(log_events)


@pytest.mark.django_db(transaction=True)
async def test_an_async_view_s_user(async_client: AsyncClient, log_events: LogEvents) -> None:
    """`request.auser()` caches its user elsewhere."""
    user = await User.objects.acreate(username="bob")
    await async_client.aforce_login(user)
    await async_client.get("/whoami-async/?asked=1")
    assert_event(log_events, REQUEST, user_id=str(user.pk))


@pytest.mark.django_db
def test_with_a_key_the_user_is_hashed(tmp_path: Any) -> None:
    """In production no primary key leaves either."""
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    client = Client()
    client.force_login(User.objects.create_user("bob", pk=1234567))
    with capture_events(user_id_key_file=key) as events:
        client.get("/whoami/")
    event = assert_event(events, REQUEST)
    assert len(event["user_id"]) == 32
    assert "1234567" not in event["user_id"]


def test_djangos_records_belong_to_their_request(log_events: LogEvents) -> None:
    """Django logs a 404 and a 500 itself, after the middleware has returned: the same correlation all the same."""
    client = Client(raise_request_exception=False)
    missing, failing = client.get("/missing/"), client.get("/failing/")
    for response, level, message in (
        (missing, "warning", "%s: %s"),
        (failing, "error", "%s: %s"),
    ):
        record = assert_event(log_events, "log.message_recorded", level=level, logger="django.request", message=message)
        assert record["correlation_id"] == response["X-Correlation-ID"]
        assert record["request_id"]
    inner = assert_event(log_events, "log.message_recorded", logger="tests.django", message="before the failure")
    assert inner["correlation_id"] == failing["X-Correlation-ID"]
    assert "hunter2" not in str(log_events)


async def test_djangos_records_under_asgi(log_events: LogEvents) -> None:
    """The same from another thread."""
    response = await AsyncClient(raise_request_exception=False).get("/failing-async/")
    assert_event(
        log_events, "log.message_recorded", logger="django.request", correlation_id=response["X-Correlation-ID"]
    )


def test_a_live_server_is_captured(live_server: Any, log_events: LogEvents) -> None:
    """Requests served by another thread."""
    import urllib.request

    with urllib.request.urlopen(f"{live_server.url}/unit/") as response:
        correlation_id = response.read().decode()
    assert_event(log_events, REQUEST, route="/unit/", correlation_id=correlation_id)
