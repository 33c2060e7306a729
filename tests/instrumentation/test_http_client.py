"""What the process asks other servers with requests and urllib, over real HTTP."""

from __future__ import annotations

import http.client
import io
import json
import socket
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter, HTTPAdapter
from urllib3.exceptions import NewConnectionError
from urllib3.util import Retry

from logging_pkg.context import active, current_span, start_span
from logging_pkg.instrumentation.google_api import InstrumentedHttp
from logging_pkg.instrumentation.http_client import exchange, hosts, unwatch_http_clients, watch_http_clients
from logging_pkg.testing import LogEvents, assert_event, capture_events
from logging_pkg.writer import get_writer
from tests.instrumentation.google_server import CUT_SHORT, HANG_UP, GoogleServer

EXCHANGE = "http_client.request_finished"

Fetch = Callable[..., tuple[int, bytes]]


@pytest.fixture(autouse=True)
def watched() -> Iterator[None]:
    """Both libraries are watched, and no test's hosts use up another's."""
    watch_http_clients()
    hosts._known.clear()
    yield
    watch_http_clients()
    hosts._known.clear()


def with_requests(url: str, data: Any = None, headers: Any = None, timeout: float = 10) -> tuple[int, bytes]:
    method = "GET" if data is None else "POST"
    response = requests.request(method, url, data=data, headers=headers, timeout=timeout)
    return response.status_code, response.content


def with_urllib(url: str, data: Any = None, headers: Any = None, timeout: float = 10) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=timeout) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


#: With either library, by its name in the events.
either = pytest.mark.parametrize(
    ("library", "fetch"), [("requests", with_requests), ("urllib", with_urllib)], ids=["requests", "urllib"]
)


def read_request(connection: socket.socket) -> None:
    """All of it: a connection that is closed over unread bytes is reset, and takes the answer with it."""
    received = b""
    while not received.endswith(b"0\r\n\r\n" if b"chunked" in received else b"\r\n\r\n"):
        received += connection.recv(65_536)


@contextmanager
def raw_server(answer: bytes) -> Iterator[int]:
    """Answers each connection with these bytes and closes it; with none it keeps silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection = listener.accept()[0]
                    with connection:
                        read_request(connection)
                        connection.sendall(answer)

        if answer:
            threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@either
def test_an_exchange_is_told_as_a_span_below_the_running_unit(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """Who was asked, how long it took and how it went."""
    google.answers = [(200, {"a": 1})]
    with active(start_span("request")) as unit:
        assert fetch(f"http://{google.address}/x") == (200, b'{"a": 1}')
        assert current_span() is unit
    event = assert_event(
        log_events,
        EXCHANGE,
        count=1,
        library=library,
        http_method="GET",
        host="127.0.0.1",
        port=int(google.address.rpartition(":")[2]),
        status_code=200,
        status_class="2xx",
        outcome="answered",
        request_size_bytes=0,
        response_size_bytes=8,
        is_error=0,
        error_type=None,
        is_propagated=0,
        parent_span_id=unit.span_id,
        request_id=unit.span_id,
        correlation_id=unit.correlation_id,
    )
    assert event["span_id"] != unit.span_id
    assert 0 < event["duration_ms"] < 10_000
    assert not {"traceparent", "x-correlation-id"} & google.received[0][2].keys()


@either
def test_an_error_status_is_an_answer(google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch) -> None:
    """And an error, whatever the library makes of it."""
    google.answers = [(503, "busy")]
    assert fetch(f"http://{google.address}/x", data=b"12345") == (503, b"busy")
    assert_event(
        log_events,
        EXCHANGE,
        count=1,
        http_method="POST",
        status_code=503,
        status_class="5xx",
        outcome="answered",
        is_error=1,
        error_type=None,
        request_size_bytes=5,
    )


@either
def test_nothing_of_a_url_but_its_host_is_told(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """Neither user info, path, query, fragment nor a token."""
    port = google.address.rpartition(":")[2]
    google.answers = [(200, {"secret4": 1})]
    headers = {"Authorization": "Bearer secret1", "X-Key": "secret2"}
    if library == "requests":
        with_requests(f"http://secret5:secret6@LocalHost:{port}/secret7?secret8=secret9#secret0", b"secret3", headers)
    else:
        with_urllib(f"http://LocalHost:{port}/secret7?secret8=secret9#secret0", b"secret3", headers)
    assert google.received[0][1] == "/secret7?secret8=secret9"
    assert_event(log_events, EXCHANGE, count=1, host="localhost", port=int(port))
    assert "secret" not in str(log_events)


@either
def test_a_host_that_is_told_gets_this_span(google: GoogleServer, library: str, fetch: Fetch) -> None:
    """By host, or host and port."""
    for told in (google.address, "127.0.0.1"):
        google.answers, google.received = [(200, {})], []
        with capture_events(propagate_to_hosts=(told,)) as events, active(start_span("request")) as unit:
            fetch(f"http://{google.address}/x")
        (event,) = events.named(EXCHANGE)
        headers = google.received[0][2]
        assert headers["traceparent"] == f"00-{unit.correlation_id}-{event['span_id']}-01"
        assert headers["x-correlation-id"] == unit.correlation_id
        assert event["is_propagated"] == 1


@either
def test_a_header_the_caller_has_set_stays(google: GoogleServer, library: str, fetch: Fetch) -> None:
    """However it is spelt; then this span is not what the server was told."""
    google.answers = [(200, {})] * 2
    with capture_events(propagate_to_hosts=("127.0.0.1",)) as events:
        fetch(f"http://{google.address}/x", headers={"TraceParent": "mine"})
        fetch(f"http://{google.address}/x", headers={"x-correlation-id": "mine"})
    first, second = (headers for _, _, headers in google.received)
    assert first["traceparent"] == "mine"
    assert first["x-correlation-id"] == events[0]["correlation_id"]
    assert second["x-correlation-id"] == "mine"
    assert second["traceparent"].split("-")[2] == events[1]["span_id"]
    assert [event["is_propagated"] for event in events.named(EXCHANGE)] == [0, 1]


@either
def test_each_hop_of_a_redirect_is_an_exchange(google: GoogleServer, library: str, fetch: Fetch) -> None:
    """With a span of its own; another host is not told the correlation."""
    port = google.address.rpartition(":")[2]
    google.answers = [(302, f"http://{google.address}/2"), (302, f"http://localhost:{port}/3"), (200, {})]
    with capture_events(propagate_to_hosts=("127.0.0.1",)) as events:
        assert fetch(f"http://{google.address}/1")[0] == 200
    told = events.named(EXCHANGE)
    assert [(event["status_code"], event["host"]) for event in told] == [
        (302, "127.0.0.1"),
        (302, "127.0.0.1"),
        (200, "localhost"),
    ]
    assert [headers.get("traceparent", "---").split("-")[2] for _, _, headers in google.received] == [
        told[0]["span_id"],
        told[1]["span_id"],
        "",
    ]
    assert "x-correlation-id" not in google.received[2][2]


def test_a_session_and_a_prepared_request_stay_as_they_are(google: GoogleServer) -> None:
    """Nothing of ours is left in them, after an answer and after an exception."""
    google.answers = [(200, {}), (200, {}), (HANG_UP, None)]
    with capture_events(propagate_to_hosts=("127.0.0.1",)) as events, requests.Session() as session:
        of_session = dict(session.headers)
        prepared = session.prepare_request(requests.Request("GET", f"http://{google.address}/x"))
        prepared.headers = own = prepared.headers
        before = dict(own)
        first = session.send(prepared)
        session.send(prepared)
        with pytest.raises(requests.ConnectionError) as caught:
            session.send(prepared)
        assert first.request is caught.value.request is prepared
        assert prepared.headers is own
        assert dict(own) == before
        assert dict(session.headers) == of_session
    spans = [headers["traceparent"].split("-")[2] for _, _, headers in google.received]
    assert spans == [event["span_id"] for event in events.named(EXCHANGE)]
    assert len(set(spans)) == 3


def test_a_urllib_request_stays_as_it_is(google: GoogleServer) -> None:
    """It may be opened again, for another host or none of ours."""
    google.answers = [(200, {}), (200, {})]
    request = urllib.request.Request(f"http://{google.address}/x")
    with capture_events(propagate_to_hosts=("127.0.0.1",)) as events:
        for _ in range(2):
            with urllib.request.urlopen(request, timeout=10) as response:
                assert response.url == f"http://{google.address}/x"
    names = {name.lower() for name in (*request.headers, *request.unredirected_hdrs)}
    assert not {"traceparent", "x-correlation-id"} & names
    assert [headers["traceparent"].split("-")[2] for _, _, headers in google.received] == [
        event["span_id"] for event in events
    ]


def test_one_prepared_request_in_two_threads(google: GoogleServer) -> None:
    """The second begins while the first is on its way and ends after it; each carries headers of its own."""
    google.answers = [(200, {})] * 2
    prepared = requests.Request("GET", f"http://{google.address}/x").prepare()
    own, before = prepared.headers, dict(prepared.headers)
    first_is_on_its_way, first_has_ended, second_is_on_its_way = (threading.Event() for _ in range(3))

    class First(HTTPAdapter):
        def add_headers(self, request: Any, **kwargs: Any) -> None:
            first_is_on_its_way.set()
            assert second_is_on_its_way.wait(10)

    class Second(HTTPAdapter):
        def add_headers(self, request: Any, **kwargs: Any) -> None:
            second_is_on_its_way.set()
            assert first_has_ended.wait(10)

    def send(adapter: HTTPAdapter) -> requests.Response:
        with requests.Session() as session:
            session.mount("http://", adapter)
            return session.send(prepared)

    with (
        capture_events(propagate_to_hosts=("127.0.0.1",)) as events,
        ThreadPoolExecutor() as threads,
    ):
        first = threads.submit(send, First())
        assert first_is_on_its_way.wait(10)
        second = threads.submit(send, Second())
        answers = [first.result(10)]
        first_has_ended.set()
        answers.append(second.result(10))
    spans = [headers["traceparent"].split("-")[2] for _, _, headers in google.received]
    assert spans == [event["span_id"] for event in events.named(EXCHANGE)]
    assert len(set(spans)) == 2
    assert [answer.request for answer in answers] == [prepared, prepared]
    assert prepared.headers is own
    assert dict(own) == before


def test_one_prepared_request_in_many_threads(google: GoogleServer) -> None:
    """Each sends it once, and nothing stays behind."""
    google.answers = [(200, {})] * 40
    prepared = requests.Request("GET", f"http://{google.address}/x").prepare()
    own, before = prepared.headers, dict(prepared.headers)

    def work() -> None:
        with requests.Session() as session:
            for _ in range(5):
                assert session.send(prepared).status_code == 200

    with capture_events(propagate_to_hosts=("127.0.0.1",)) as events:
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(events.named(EXCHANGE)) == len(google.received) == 40
    assert prepared.headers is own
    assert dict(own) == before


@either
def test_a_refused_connection_was_not_sent(log_events: LogEvents, library: str, fetch: Fetch) -> None:
    """The exception is the library's own."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        with pytest.raises((requests.ConnectionError, urllib.error.URLError)):
            fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/x")
    event = assert_event(
        log_events, EXCHANGE, count=1, outcome="unsent", status_code=None, status_class="none", is_error=1
    )
    assert (
        event["error_type"]
        == {"requests": "requests.exceptions.ConnectionError", "urllib": "urllib.error.URLError"}[library]
    )
    assert event["response_size_bytes"] is None


@either
def test_a_name_that_does_not_resolve_was_not_sent(log_events: LogEvents, library: str, fetch: Fetch) -> None:
    """And its host is told all the same."""
    with pytest.raises((requests.ConnectionError, urllib.error.URLError)):
        fetch("http://nowhere.invalid/x")
    assert_event(log_events, EXCHANGE, count=1, outcome="unsent", host="nowhere.invalid", port=80)


@either
def test_a_tls_handshake_that_fails_was_not_sent(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """Broken, or not coming in time."""
    with raw_server(b"") as port:
        for address, timeout in ((google.address, 10), (f"127.0.0.1:{port}", 0.2)):
            with pytest.raises((requests.RequestException, urllib.error.URLError)):
                fetch(f"https://{address}/x", timeout=timeout)
    assert [event["outcome"] for event in log_events.named(EXCHANGE)] == ["unsent", "unsent"]
    assert google.received == []


@either
def test_an_answer_that_does_not_come_is_unknown(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """The server has the request: it hangs up, or keeps silent."""
    google.answers = [(HANG_UP, None)]
    with raw_server(b"") as port:
        for address in (google.address, f"127.0.0.1:{port}"):
            with pytest.raises((requests.RequestException, OSError)):
                fetch(f"http://{address}/x", timeout=0.3)
    assert [event["outcome"] for event in log_events.named(EXCHANGE)] == ["unknown", "unknown"]


@either
def test_an_earlier_failure_is_not_taken_for_this_one(log_events: LogEvents, library: str, fetch: Fetch) -> None:
    """Asking a second server because the first refused: the second may have the request."""
    with socket.socket() as closed, raw_server(b"") as port:
        closed.bind(("127.0.0.1", 0))
        try:
            fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/x")
        except (requests.RequestException, OSError):
            with pytest.raises((requests.RequestException, OSError)):
                fetch(f"http://127.0.0.1:{port}/x", timeout=0.2)
    assert [event["outcome"] for event in log_events.named(EXCHANGE)] == ["unsent", "unknown"]


@either
def test_an_upload_that_fails_halfway_is_unknown(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """What the caller's generator raises comes out as it is, a connection of its own that it could not make included."""

    def body() -> Iterator[bytes]:
        yield b"1"
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            http.client.HTTPConnection("127.0.0.1", closed.getsockname()[1]).request("GET", "/")

    google.answers = [(200, {})]
    with pytest.raises((requests.ConnectionError, urllib.error.URLError)):
        fetch(f"http://{google.address}/x", data=body(), headers={"Content-Type": "x/y"})
    (event,) = log_events.named(EXCHANGE)
    assert (event["outcome"], event["request_size_bytes"]) == ("unknown", None)


@either
def test_a_streamed_upload_has_no_size_beforehand(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """It is sent as it is; a file's size is known."""
    headers = {"Content-Type": "x/y", "Content-Length": "3"}
    google.answers = [(200, {})]
    fetch(f"http://{google.address}/x", data=io.BytesIO(b"123"), headers=headers)
    assert_event(log_events, EXCHANGE, count=1, request_size_bytes=3)
    with raw_server(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n") as port:
        fetch(f"http://127.0.0.1:{port}/x", data=iter([b"1", b"2"]), headers={"Content-Type": "x/y"})
    assert_event(log_events, EXCHANGE, count=1, status_code=204, request_size_bytes=None, response_size_bytes=None)


def test_a_streamed_answer_is_not_read(google: GoogleServer, log_events: LogEvents) -> None:
    """Its event is there before its body is; a body that breaks off is the caller's."""
    google.answers = [(CUT_SHORT, {"a": 1})]
    with requests.get(f"http://{google.address}/x", stream=True, timeout=10) as response:
        assert_event(log_events, EXCHANGE, count=1, outcome="answered", response_size_bytes=9)
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            response.content  # noqa: B018  (a property that reads)
    assert len(log_events.named(EXCHANGE)) == 1


@either
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", (999, "other", 0)),
        (b"HTTP/1.0 200 OK\r\n\r\n", (200, "2xx", None)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nConnection: close\r\n\r\n", (200, "2xx", None)),
    ],
)
def test_odd_answers_are_told(
    log_events: LogEvents, library: str, fetch: Fetch, answer: bytes, expected: tuple[int, str, int | None]
) -> None:
    """A status no registry has, a body without a length."""
    with raw_server(answer) as port:
        fetch(f"http://127.0.0.1:{port}/x")
    (event,) = log_events.named(EXCHANGE)
    assert (event["status_code"], event["status_class"], event["response_size_bytes"]) == expected


@pytest.mark.parametrize("text", [None, "", "-1", "1e3", "٣", "9" * 19])
def test_a_length_that_cannot_be_meant_is_none(text: str | None) -> None:
    """An event must hold whatever a server says."""
    assert exchange.whole_number(text) is None
    assert exchange.whole_number("12") == 12


def test_what_urllib3_sends_again_is_one_exchange(google: GoogleServer, log_events: LogEvents) -> None:
    """And its failure may be of a later try than one that arrived: unknown, even where the last was refused."""
    google.answers = [(HANG_UP, None), (200, {})]
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=2))
        assert session.get(f"http://{google.address}/x", timeout=10).status_code == 200
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            with pytest.raises(requests.ConnectionError):
                session.get(f"http://127.0.0.1:{closed.getsockname()[1]}/x", timeout=10)
            session.mount("http://", HTTPAdapter(max_retries=Retry(total=False)))
            with pytest.raises(NewConnectionError):
                session.get(f"http://127.0.0.1:{closed.getsockname()[1]}/x", timeout=10)
    assert len(google.received) == 2
    assert [event["outcome"] for event in log_events.named(EXCHANGE)] == ["answered", "unknown", "unsent"]


def test_an_adapter_of_the_projects_own_is_one_exchange(google: GoogleServer) -> None:
    """What it does to the request stays done; how often it sends it is told."""

    class Signing(HTTPAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            request.headers["X-Before"] = "1"
            return super().send(request, *args, **kwargs)

        def add_headers(self, request: Any, **kwargs: Any) -> None:
            request.headers["X-Signature"] = "2"
            request.headers.pop("Accept", None)
            request.signed = True

    google.answers = [(200, {})]
    with capture_events(propagate_to_hosts=("127.0.0.1",)) as events, requests.Session() as session:
        session.mount("http://", Signing())
        response = session.get(f"http://{google.address}/x", timeout=10)
    assert len(events.named(EXCHANGE)) == 1
    sent = google.received[0][2]
    assert (sent["x-before"], sent["x-signature"], "traceparent" in sent) == ("1", "2", True)
    assert vars(response.request)["signed"] is True
    kept = response.request.headers
    assert (kept["X-Before"], kept["x-signature"], "Accept" in kept, "traceparent" in kept) == ("1", "2", False, False)


def test_an_adapter_that_does_not_inherit_is_not_seen(log_events: LogEvents) -> None:
    """It need not be HTTP at all."""

    class Foreign(BaseAdapter):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = requests.Response()
            response.status_code, response.request, response.raw = 200, request, io.BytesIO(b"")
            return response

        def close(self) -> None:
            return

    with requests.Session() as session:
        session.mount("foreign://", Foreign())
        assert session.get("foreign://x/y").status_code == 200
    assert log_events.named(EXCHANGE) == []


def test_what_is_no_host_is_other(log_events: LogEvents) -> None:
    """The path of a socket in a URL's place for the host, for one."""
    with requests.Session() as session:
        session.mount("http+unix://", HTTPAdapter())
        with pytest.raises(requests.RequestException):
            session.get("http+unix://%2Fvar%2Fhunter2.sock/x")
    assert_event(log_events, EXCHANGE, count=1, host="other", port=None, outcome="unsent")
    assert "hunter2" not in str(log_events)


@either
def test_a_push_of_log_lines_is_left_out(
    google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch
) -> None:
    """To tell of it would be one more line to push, without end."""
    google.answers = [(204, "")] * 2
    for path in ("/loki/api/v1/push", "/tenant/loki/api/v1/push?x=1"):
        assert fetch(f"http://{google.address}{path}", data=b"{}")[0] == 204
    assert len(google.received) == 2
    assert log_events == []


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/x", "http://[::1/x", "http:///x", "", None, b"http://x/"])
def test_a_url_that_cannot_be_read_is_the_librarys_to_refuse(log_events: LogEvents, url: Any) -> None:
    """It raises what it would have raised."""
    prepared = requests.Request("GET", "http://127.0.0.1/x").prepare()
    prepared.url = url
    outcomes = []
    for is_watched in (True, False):
        if not is_watched:
            unwatch_http_clients()
        try:
            HTTPAdapter().send(prepared, timeout=0.2)
        except Exception as error:
            outcomes.append((type(error), str(error).split(" at 0x")[0]))
    assert len(outcomes) == 2
    assert outcomes[0][0] is outcomes[1][0]
    assert len(log_events.named(EXCHANGE)) == 1


def test_a_proxied_request_tells_the_server_asked(google: GoogleServer, log_events: LogEvents) -> None:
    """Not the proxy, which gets the request."""
    google.answers = [(200, {})] * 2
    proxy = f"http://{google.address}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy}))
    with opener.open("http://service.example/x", timeout=10) as response:
        assert response.status == 200
    requests.get("http://service.example:8080/x", proxies={"http": proxy}, timeout=10)
    assert [path for _, path, _ in google.received] == ["http://service.example/x", "http://service.example:8080/x"]
    assert [(event["host"], event["port"]) for event in log_events.named(EXCHANGE)] == [
        ("service.example", 80),
        ("service.example", 8080),
    ]


def test_a_tunnel_that_is_not_made_was_not_sent(google: GoogleServer, log_events: LogEvents) -> None:
    """The proxy refuses CONNECT: the server behind it saw nothing."""
    proxy = f"http://{google.address}"
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"https": proxy}))
    with pytest.raises(urllib.error.URLError):
        opener.open("https://service.example/x", timeout=10)
    with pytest.raises(requests.RequestException):
        requests.get("https://service.example/x", proxies={"https": proxy}, timeout=10)
    assert [(event["host"], event["outcome"]) for event in log_events.named(EXCHANGE)] == [
        ("service.example", "unsent"),
    ] * 2


def test_files_and_data_are_no_exchange(log_events: LogEvents, tmp_path: Path) -> None:
    """The same opener does."""
    (tmp_path / "x").write_bytes(b"1")
    for url in ((tmp_path / "x").as_uri(), "data:,1"):
        with urllib.request.urlopen(url) as response:
            assert response.read() == b"1"
    assert log_events.named(EXCHANGE) == []


def test_an_opener_with_a_connection_of_its_own_is_seen(google: GoogleServer, log_events: LogEvents) -> None:
    """A handler's subclass, which calls `do_open` with its own class."""

    class Connection(http.client.HTTPConnection):
        pass

    class Handler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> Any:
            return self.do_open(Connection, req)

    google.answers = [(200, {})]
    with urllib.request.build_opener(Handler()).open(f"http://{google.address}/x", timeout=10) as response:
        assert response.status == 200
    assert_event(log_events, EXCHANGE, count=1, library="urllib")


def test_tls_is_seen_too(log_events: LogEvents, google: GoogleServer) -> None:
    """The HTTPS of urllib goes the same way as its HTTP."""
    context = ssl.create_default_context()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(f"https://{google.address}/x", timeout=10, context=context)
    assert_event(log_events, EXCHANGE, count=1, library="urllib", outcome="unsent")


def test_google_auth_over_requests_is_told_and_httplib2_is_not(google: GoogleServer, log_events: LogEvents) -> None:
    """Nothing twice: google-api-python-client has an event of its own."""
    from google.auth.transport.requests import Request

    google.answers = [(200, {})] * 2
    with requests.Session() as session:
        Request(session)(f"http://{google.address}/token", method="POST", body=b"grant_type=hunter2")
    with closing(InstrumentedHttp(timeout=10)) as transport:
        transport.request(f"http://{google.address}/x")
    assert [event["event"] for event in log_events] == [EXCHANGE, "google_api.call_finished"]
    assert "hunter2" not in str(log_events)


def test_hosts_are_bounded() -> None:
    """The first ones keep their names."""
    names = [hosts.host_name(f"h{number}.example") for number in range(200)]
    assert len(set(names)) == 100
    assert names[:99] == [f"h{number}.example" for number in range(99)]
    assert set(names[99:]) == {hosts.OTHER}
    assert hosts.host_name("h5.example") == "h5.example"


@pytest.mark.parametrize("host", [None, "", "%2fvar", "a b", "ä.example", "a" * 254, "a/b"])
def test_what_cannot_be_a_host_is_other(host: str | None) -> None:
    """It does not use up a name either."""
    assert hosts.host_name(host) == hosts.OTHER
    assert not hosts._known


@either
def test_a_fault_of_ours_does_not_reach_the_caller(
    google: GoogleServer, monkeypatch: pytest.MonkeyPatch, library: str, fetch: Fetch
) -> None:
    """Before, after, or at an exception of the library's: in production it is counted, and that is all."""

    def broken(*_: object, **__: object) -> Any:
        raise RuntimeError("hunter2")

    for place in ("start_span", "headers_for", "host_name", "milliseconds"):
        google.answers = [(200, {"a": 1}), (HANG_UP, None)]
        with monkeypatch.context() as patched, capture_events(strict=False, propagate_to_hosts=("127.0.0.1",)):
            patched.setattr(exchange, place, broken)
            before = current_span()
            assert fetch(f"http://{google.address}/x") == (200, b'{"a": 1}')
            with pytest.raises((requests.ConnectionError, http.client.RemoteDisconnected)):
                fetch(f"http://{google.address}/x")
            assert current_span() is before
            assert get_writer().faults >= 2


@either
def test_nothing_is_told_while_emission_is_off(google: GoogleServer, library: str, fetch: Fetch) -> None:
    """Nor is any server told anything."""
    google.answers = [(200, {})]
    with capture_events(enabled=False, propagate_to_hosts=("127.0.0.1",)) as events:
        fetch(f"http://{google.address}/x")
    assert events == []
    assert "traceparent" not in google.received[0][2]


@either
def test_it_can_be_undone(google: GoogleServer, log_events: LogEvents, library: str, fetch: Fetch) -> None:
    """The libraries have their own methods again; watching twice is watching once."""
    google.answers = [(200, {})] * 3
    methods = lambda: (HTTPAdapter.send, urllib.request.AbstractHTTPHandler.do_open)  # noqa: E731
    ours = methods()
    watch_http_clients()
    assert methods() == ours
    unwatch_http_clients()
    unwatch_http_clients()
    assert [method.__module__ for method in methods()] == ["requests.adapters", "urllib.request"]
    assert not any(hasattr(method, "__wrapped__") for method in methods())
    fetch(f"http://{google.address}/x")
    assert log_events == []
    watch_http_clients()
    fetch(f"http://{google.address}/x")
    assert len(log_events.named(EXCHANGE)) == 1


def test_what_another_tool_has_put_around_it_stays(
    google: GoogleServer, log_events: LogEvents, monkeypatch: Any
) -> None:
    """Undone, ours passes through in silence; watched again, it is there once."""
    seen: list[str] = []
    ours = HTTPAdapter.send

    def theirs(self: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(request.url)
        return ours(self, request, *args, **kwargs)

    monkeypatch.setattr(HTTPAdapter, "send", theirs)
    google.answers = [(200, {})] * 2
    unwatch_http_clients()
    requests.get(f"http://{google.address}/x", timeout=10)
    assert HTTPAdapter.send is theirs
    assert log_events == []
    watch_http_clients()
    requests.get(f"http://{google.address}/x", timeout=10)
    assert len(log_events.named(EXCHANGE)) == 1
    assert len(seen) == 2


def test_a_method_nobody_knows_is_other(log_events: LogEvents) -> None:
    """As everywhere."""
    with raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n") as port:
        requests.request("BREW", f"http://127.0.0.1:{port}/x", timeout=10)
    assert_event(log_events, EXCHANGE, count=1, http_method="OTHER")


def test_ipv6_is_a_host(log_events: LogEvents) -> None:
    """Without its brackets."""
    with socket.socket(socket.AF_INET6) as closed:
        try:
            closed.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 on loopback")
        with pytest.raises(requests.ConnectionError):
            requests.get(f"http://[::1]:{closed.getsockname()[1]}/x", timeout=10)
    assert_event(log_events, EXCHANGE, count=1, host="::1", outcome="unsent")


def test_a_file_of_json_lines_stays_valid(google: GoogleServer, log_events: LogEvents) -> None:
    """Every field is JSON as it stands."""
    google.answers = [(200, {})]
    requests.get(f"http://{google.address}/x", timeout=10)
    assert json.loads(json.dumps(log_events[0])) == log_events[0]
