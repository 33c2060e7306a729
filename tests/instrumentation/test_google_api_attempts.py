"""Each HTTP attempt has one event and a span of its own on the wire, whatever sends it again."""

from __future__ import annotations

import json
import select
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httplib2
import pytest
from google.oauth2.credentials import Credentials
from google_auth_httplib2 import AuthorizedHttp
from googleapiclient.errors import HttpError

from logging_pkg.context import active, start_span
from logging_pkg.instrumentation.google_api import InstrumentedHttp, connection
from logging_pkg.instrumentation.google_api.connection import is_closed_by_peer
from logging_pkg.testing import LogEvents, assert_event, capture_events
from tests.instrumentation.google_server import CUT_SHORT, HANG_UP, GoogleServer, calendar_client

CALL = "google_api.call_finished"
UNAUTHORISED = {"error": {"errors": [{"reason": "authError"}]}}


@pytest.fixture
def told(google: GoogleServer) -> Iterator[LogEvents]:
    """Events of attempts at a server that is told the correlation."""
    with capture_events(propagate_to_hosts=(google.address,)) as events:
        yield events


def spans_on_the_wire(google: GoogleServer) -> list[str]:
    return [headers["traceparent"].split("-")[2] for _, _, headers in google.received]


def assert_joined(google: GoogleServer, events: LogEvents) -> None:
    """Every request the server saw is exactly one event, with the status it was answered with."""
    calls = events.named(CALL)
    by_span = {event["span_id"]: event for event in calls}
    assert len(by_span) == len(calls)
    spans = spans_on_the_wire(google)
    assert len(set(spans)) == len(spans)
    assert [by_span[span]["status_code"] for span in spans] == google.statuses
    assert {event["span_id"] for event in calls if event["outcome"] != "unsent"} <= set(spans)


def wait_until_closed(http: httplib2.Http) -> None:
    """Until the server's closing has reached the kept connection."""
    (kept,) = http.connections.values()
    until = time.monotonic() + 5
    while not is_closed_by_peer(kept.sock):
        assert time.monotonic() < until
        time.sleep(0.005)


def authorised(google: GoogleServer, http: httplib2.Http, token: str | None = "old") -> AuthorizedHttp:
    credentials = Credentials(
        token, refresh_token="r", token_uri=f"http://{google.address}/o/grant", client_id="i", client_secret="hunter2"
    )
    return AuthorizedHttp(credentials, http=http)


def test_a_connection_that_the_server_had_closed_carries_nothing(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents
) -> None:
    """The attempt on it is unsent and free; httplib2's next one has a span of its own, which the server is told."""
    google.answers = [(200, {"id": "a"}), (200, {"id": "b"})]
    google.closes = True
    calendar = calendar_client(google, http)
    calendar.events().get(calendarId="c", eventId="a").execute()
    wait_until_closed(http)
    assert calendar.events().get(calendarId="c", eventId="b").execute() == {"id": "b"}
    assert len(google.received) == 2
    assert_joined(google, told)
    first, stale, again = told.named(CALL)
    assert first["outcome"] == "answered"
    assert (stale["attempt"], stale["outcome"], stale["status_code"], stale["quota_units"]) == (1, "unsent", None, 0)
    assert stale["error_type"] == "http.client.RemoteDisconnected"
    assert stale["operation"] == again["operation"] == "events.get"
    assert (again["attempt"], again["outcome"], again["status_code"], again["quota_units"]) == (2, "answered", 200, 1)
    assert stale["api_call_id"] == again["api_call_id"] == stale["span_id"]
    assert stale["span_id"] not in spans_on_the_wire(google)


def test_a_body_for_a_closed_connection_was_not_sent_either(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents
) -> None:
    """Whether httplib2 then sends it again or gives up, depending on how soon it notices."""
    google.answers = [(200, {"id": "a"}), (200, {"id": "b"})]
    google.closes = True
    calendar = calendar_client(google, http)
    calendar.events().insert(calendarId="c", body={}).execute()
    wait_until_closed(http)
    with suppress(BrokenPipeError):
        calendar.events().insert(calendarId="c", body={"summary": "x" * 100_000}).execute()
    assert_joined(google, told)
    stale = told.named(CALL)[1]
    assert (stale["outcome"], stale["quota_units"], stale["status_code"]) == ("unsent", 0, None)


def test_a_request_that_was_read_may_have_been_acted_on(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents
) -> None:
    """The server reads it on a kept connection and hangs up: unknown, told, and counted; the re-send is a second one."""
    google.answers = [(200, {"id": "a"}), (HANG_UP, None), (200, {"id": "b"})]
    calendar = calendar_client(google, http)
    calendar.events().insert(calendarId="c", body={}).execute()
    assert calendar.events().insert(calendarId="c", body={}).execute() == {"id": "b"}
    assert len(google.received) == 3
    assert_joined(google, told)
    _, broken, answered = told.named(CALL)
    assert (broken["attempt"], broken["outcome"], broken["status_code"], broken["quota_units"]) == (
        1,
        "unknown",
        None,
        1,
    )
    assert broken["error_type"] == "http.client.RemoteDisconnected"
    assert (answered["attempt"], answered["outcome"]) == (2, "answered")
    assert broken["api_call_id"] == answered["api_call_id"] == broken["span_id"] != answered["span_id"]


def test_each_request_without_an_answer_is_told(google: GoogleServer, http: InstrumentedHttp, told: LogEvents) -> None:
    """A new connection breaks off twice: two requests, two events, then the exception."""
    google.answers = [(HANG_UP, None)] * 2
    with pytest.raises(ConnectionError):
        http.request(f"http://{google.address}/calendar", "GET")
    assert len(google.received) == 2
    assert_joined(google, told)
    for event in told.named(CALL):
        assert (event["outcome"], event["quota_units"], event["operation"]) == ("unknown", 1, "unlisted.get")


def test_a_server_that_is_gone_by_now(google: GoogleServer, http: InstrumentedHttp, log_events: LogEvents) -> None:
    """A stale connection, then none at all: neither attempt was sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        http.connections[f"http:127.0.0.1:{port}"] = kept = httplib2.HTTPConnectionWithTimeout("127.0.0.1", port)
        kept.connect()
        listener.accept()[0].close()
    wait_until_closed(http)
    with pytest.raises(ConnectionRefusedError):
        http.request(f"http://127.0.0.1:{port}/x")
    stale, refused = log_events.named(CALL)
    assert [event["outcome"] for event in (stale, refused)] == ["unsent", "unsent"]
    assert [event["attempt"] for event in (stale, refused)] == [1, 2]
    assert refused["error_type"] == "ConnectionRefusedError"


def test_the_request_repeated_after_a_refresh_has_its_own_span(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents
) -> None:
    """401, a token request, the request again: three events, in the order of what happened."""
    google.answers = [(401, UNAUTHORISED), (200, {"access_token": "new", "expires_in": 3600}), (200, {"items": [{}]})]
    calendar = calendar_client(google, authorised(google, http))
    with active(start_span("sync")) as sync:
        assert calendar.events().list(calendarId="c").execute() == {"items": [{}]}
    assert_joined(google, told)
    refused, token, answered = told.named(CALL)
    assert [event["operation"] for event in (refused, token, answered)] == [
        "events.list",
        "oauth2.token",
        "events.list",
    ]
    assert [event["attempt"] for event in (refused, token, answered)] == [1, 1, 2]
    assert [event["quota_units"] for event in (refused, token, answered)] == [0, 0, 1]
    assert (refused["reason"], refused["status_code"], answered["item_count"]) == ("authError", 401, 1)
    assert refused["api_call_id"] == answered["api_call_id"] != token["api_call_id"]
    assert {event["parent_span_id"] for event in (refused, token, answered)} == {sync.span_id}
    assert google.received[2][2]["authorization"] == "Bearer new"
    assert not {"hunter2", "new", "old"} & set(str(told).replace('"', " ").replace("'", " ").split())


def test_a_refresh_before_the_first_request(google: GoogleServer, http: InstrumentedHttp, told: LogEvents) -> None:
    """Credentials without a token ask for one first; the call's own attempt is still its first."""
    google.answers = [(200, {"access_token": "new"}), (200, {})]
    calendar_client(google, authorised(google, http, token=None)).events().get(calendarId="c", eventId="e").execute()
    assert_joined(google, told)
    assert [(event["operation"], event["attempt"]) for event in told.named(CALL)] == [
        ("oauth2.token", 1),
        ("events.get", 1),
    ]


def test_a_refused_refresh_says_why(google: GoogleServer, http: InstrumentedHttp, told: LogEvents) -> None:
    """OAuth's own reason."""
    from google.auth.exceptions import RefreshError

    google.answers = [(400, {"error": "invalid_grant"})]
    with pytest.raises(RefreshError):
        calendar_client(google, authorised(google, http, token=None)).events().list(calendarId="c").execute()
    assert_event(told, CALL, count=1, operation="oauth2.token", reason="invalid_grant", is_error=1)


def test_a_path_that_ends_in_token_is_no_token_request(google: GoogleServer, calendar: Any, told: LogEvents) -> None:
    """What asks for a token says so in its form; an event may be called anything."""
    google.answers = [(200, {"id": "token"})]
    calendar.events().get(calendarId="c", eventId="token").execute()
    assert google.received[0][1].split("?")[0].endswith("/token")
    assert_event(told, CALL, operation="events.get", quota_units=1)


@pytest.mark.parametrize("body", ["grant_type=refresh_token&x=hunter2", b"x=hunter2&grant_type=refresh_token"])
def test_a_token_request_of_any_transport(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents, body: Any
) -> None:
    """Text or bytes, wherever the grant type stands."""
    google.answers = [(200, {})]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    http.request(f"http://{google.address}/t", "POST", body=body, headers=form)
    assert_event(told, CALL, operation="oauth2.token", quota_units=0, attempt=1)
    assert "hunter2" not in str(told)


@pytest.mark.parametrize("status", [301, 302, 308])
def test_a_redirect_is_two_requests(google: GoogleServer, http: InstrumentedHttp, told: LogEvents, status: int) -> None:
    """Each answer is told with its own status; what the caller gets is the last."""
    google.answers = [(status, f"http://{google.address}/there"), (200, {"items": [1, 2]})]
    calendar = calendar_client(google, http)
    assert calendar.events().list(calendarId="c").execute() == {"items": [1, 2]}
    assert_joined(google, told)
    first, second = told.named(CALL)
    assert (first["status_code"], second["status_code"]) == (status, 200)
    assert first["operation"] == second["operation"] == "events.list"
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert (first["item_count"], second["item_count"]) == (None, 2)
    assert first["api_call_id"] == second["api_call_id"]


def test_a_redirect_to_another_host_does_not_tell_it_the_correlation(
    google: GoogleServer, http: InstrumentedHttp
) -> None:
    """Only the first host is allow-listed."""
    port = google.address.rpartition(":")[2]
    google.answers = [(302, f"http://localhost:{port}/there"), (200, {})]
    with capture_events(propagate_to_hosts=("127.0.0.1",)):
        http.request(f"http://{google.address}/here")
    assert ["traceparent" in headers for _, _, headers in google.received] == [True, False]
    assert ["x-correlation-id" in headers for _, _, headers in google.received] == [True, False]


def test_an_authentication_of_httplib2s_own_is_two_requests(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents
) -> None:
    """What it does about a challenge is an attempt of the same call, with a span of its own."""
    http.add_credentials("someone", "hunter2")
    google.headers = {"WWW-Authenticate": 'Basic realm="x"'}
    google.answers = [(401, "{}"), (200, {})]
    response, _ = http.request(f"http://{google.address}/x")
    assert response.status == 200
    assert ["authorization" in headers for _, _, headers in google.received] == [False, True]
    assert_joined(google, told)
    assert [(event["attempt"], event["status_code"]) for event in told.named(CALL)] == [(1, 401), (2, 200)]


def test_an_answer_out_of_the_cache_is_no_attempt(google: GoogleServer, told: LogEvents, tmp_path: Path) -> None:
    """Nothing went out."""
    google.headers = {"Cache-Control": "max-age=600"}
    google.answers = [(200, {"a": 1})]
    with closing(InstrumentedHttp(cache=str(tmp_path), timeout=10)) as cached:
        for is_from_cache in (False, True):
            response, content = cached.request(f"http://{google.address}/x")
            assert (response.fromcache, content) == (is_from_cache, b'{"a": 1}')
    assert len(google.received) == len(told.named(CALL)) == 1


def test_an_answer_that_breaks_off_has_a_status_and_an_unknown_outcome(
    google: GoogleServer, http: InstrumentedHttp, told: LogEvents
) -> None:
    """What its header said is told; whether the rest would have been as hoped is not known."""
    google.answers = [(CUT_SHORT, {"items": []})]
    with pytest.raises(Exception, match="IncompleteRead"):
        calendar_client(google, http).events().list(calendarId="c").execute()
    assert_joined(google, told)
    assert_event(
        told,
        CALL,
        count=1,
        outcome="unknown",
        status_code=200,
        is_error=1,
        quota_units=1,
        item_count=None,
        error_type="http.client.IncompleteRead",
    )


def test_the_caller_s_own_headers_give_way_to_the_attempt_s(google: GoogleServer, http: InstrumentedHttp) -> None:
    """One traceparent goes out, this attempt's; the caller's object stays as it is."""
    own = {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01", "X-Correlation-ID": "3" * 32, "x-other": "4"}
    before = dict(own)
    google.answers = [(200, {})]
    with capture_events(propagate_to_hosts=(google.address,)) as events:
        http.request(f"http://{google.address}/x", headers=own)
    assert own == before
    headers = google.received[0][2]
    assert headers["traceparent"].split("-")[2] == events.named(CALL)[0]["span_id"]
    assert headers["x-correlation-id"] == events[0]["correlation_id"]
    assert headers["x-other"] == "4"


@contextmanager
def deaf_server() -> Iterator[int]:
    """Accepts connections in the kernel, and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@contextmanager
def full_server() -> Iterator[int]:
    """Its queue is full: a further connection is not made."""
    with socket.socket() as listener, ExitStack() as stack:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_time_out_while_connecting_was_not_sent(log_events: LogEvents) -> None:
    """The connection was never made."""
    with full_server() as port, pytest.raises(TimeoutError):
        InstrumentedHttp(timeout=0.2).request(f"http://127.0.0.1:{port}/x")
    assert_event(log_events, CALL, count=1, outcome="unsent", error_type="TimeoutError", quota_units=0)


def test_a_time_out_of_the_tls_handshake_was_not_sent(log_events: LogEvents) -> None:
    """There is a connection, but nothing to send over yet."""
    with deaf_server() as port, pytest.raises(TimeoutError):
        InstrumentedHttp(timeout=0.2).request(f"https://127.0.0.1:{port}/x")
    assert_event(log_events, CALL, count=1, outcome="unsent", error_type="TimeoutError", quota_units=0)


def test_a_broken_tls_handshake_was_not_sent(google: GoogleServer, log_events: LogEvents) -> None:
    """A server that speaks no TLS."""
    with pytest.raises(ssl.SSLError):
        InstrumentedHttp(timeout=10).request(f"https://{google.address}/x")
    assert_event(log_events, CALL, count=1, outcome="unsent", status_code=None, quota_units=0)
    assert google.received == []


def test_a_time_out_of_the_answer_is_unknown(log_events: LogEvents) -> None:
    """The server has the request."""
    with deaf_server() as port, pytest.raises(TimeoutError):
        InstrumentedHttp(timeout=0.2).request(f"http://127.0.0.1:{port}/x")
    assert_event(log_events, CALL, count=1, outcome="unknown", error_type="TimeoutError", quota_units=1)


def test_a_name_that_does_not_resolve_was_not_sent(http: InstrumentedHttp, log_events: LogEvents) -> None:
    """The exception told is the one the caller gets."""
    with pytest.raises(httplib2.ServerNotFoundError):
        http.request("http://nowhere.invalid/x")
    assert_event(log_events, CALL, count=1, outcome="unsent", error_type="httplib2.error.ServerNotFoundError")


def test_what_cannot_be_sent_was_not_sent(http: InstrumentedHttp, google: GoogleServer, log_events: LogEvents) -> None:
    """A header the library refuses: there is a connection, and nothing on it."""
    with pytest.raises(ValueError, match="Invalid header"):
        http.request(f"http://{google.address}/x", headers={"x-bad": "a\nb:c"})
    assert_event(log_events, CALL, count=1, outcome="unsent", error_type="ValueError")


def test_a_url_that_goes_nowhere_is_no_attempt(http: InstrumentedHttp, log_events: LogEvents) -> None:
    """httplib2 refuses it before there is a connection to make."""
    with pytest.raises(KeyError):
        http.request("gopher://127.0.0.1/x")
    assert log_events.named(CALL) == []


def test_a_connection_is_left_as_it_was(google: GoogleServer, http: InstrumentedHttp) -> None:
    """Nothing of ours stays on it, and what another tool has put on it does."""
    google.answers = [(200, {})] * 2
    http.request(f"http://{google.address}/x")
    (kept,) = http.connections.values()
    assert not {"connect", "send", "request", "getresponse"} & vars(kept).keys()
    sent: list[bytes] = []
    original = kept.send
    kept.send = mine = lambda data: (sent.append(data), original(data))[1]
    http.request(f"http://{google.address}/x")
    assert kept.send is mine
    assert sent


def test_a_closed_socket_is_told_from_a_readable_one() -> None:
    """Data that waits is no closing, even where a closing follows it is; what is no socket has not been closed."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as listener:
        assert not is_closed_by_peer(ours)
        with socket.create_connection(listener.getsockname()) as client:
            server = listener.accept()[0]
            assert not is_closed_by_peer(client)
            server.sendall(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
            select.select([client], [], [], 5)
            assert not is_closed_by_peer(client)
            server.close()
            until = time.monotonic() + 5
            while not is_closed_by_peer(client):
                assert time.monotonic() < until
        for odd in (client, None, object(), 5.5, "socket", -1):
            assert is_closed_by_peer(odd) is False


def test_a_fault_of_ours_does_not_reach_the_caller(
    google: GoogleServer, http: InstrumentedHttp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In production: the request is made and answered as if nobody watched."""

    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("hunter2")

    calendar = calendar_client(google, http)
    for place in ("Attempt", "headers_for"):
        google.answers = [(200, {"id": "a"})]
        with monkeypatch.context() as patched, capture_events(strict=False, propagate_to_hosts=(google.address,)):
            patched.setattr(connection, place, broken)
            assert calendar.events().get(calendarId="c", eventId="e").execute() == {"id": "a"}


def test_errors_pass_as_they_are(google: GoogleServer, calendar: Any) -> None:
    """The client's own exception, with the answer's body."""
    google.answers = [(404, {"error": {"errors": [{"reason": "notFound"}], "message": "gone"}})]
    with pytest.raises(HttpError) as caught:
        calendar.events().get(calendarId="c", eventId="e").execute()
    assert json.loads(caught.value.content)["error"]["message"] == "gone"
