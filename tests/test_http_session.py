"""An answer is whole in its time, or none; both clients tell why.

In: real servers that drip, that send too much, that close. Out: assertions on errors. Never: a stub of requests.
"""

from __future__ import annotations

import gzip
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import requests

from logging_pkg import http_session as module
from logging_pkg.http_session import AnswerTooLarge, NoAnswer, NoConnection, ask, http_session
from logging_pkg.loki_client import LokiClient, LokiTooLarge, LokiUnanswered
from logging_pkg.prometheus_client import AlertmanagerClient, PrometheusClient, ServerError, ServerUnanswered
from tests.dripping import ANSWERS, dripping

LATE = r"not whole after 0\.3 s: ask for less, or allow more time"
drips = pytest.mark.parametrize("place", ANSWERS)


@pytest.fixture
def server() -> Iterator[str]:
    """A real HTTP server: /big is more than the tests allow, /packed as well once unpacked, anything else its path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        connections: set[tuple[str, int]] = set()  # noqa: RUF012 - of the one server of a test

        def do_GET(self) -> None:
            self.connections.add(self.client_address)
            body = self.path.encode()
            if self.path in ("/big", "/packed"):
                body = b" " * 5_000
            if self.path == "/connections":
                body = str(len(self.connections)).encode()
            self.send_response(200)
            if self.path == "/packed":
                body = gzip.compress(body)
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        running.daemon_threads = True
        thread = threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join(10)


@drips
def test_loki_that_drips_is_given_up(place: str) -> None:
    """Wherever it begins to: the error has the address, the seconds, and what to do."""
    with dripping(*ANSWERS[place]) as url, LokiClient(url, timeout_s=0.3) as client:
        told = rf"^{url}/loki/api/v1/query: no complete answer \({LATE}\)"
        with pytest.raises(LokiUnanswered, match=told):
            client.query("vector(1)")


@drips
def test_prometheus_that_drips_is_given_up(place: str) -> None:
    """Likewise, and Alertmanager."""
    with (
        dripping(*ANSWERS[place]) as url,
        PrometheusClient(url, timeout_s=0.3) as client,
        AlertmanagerClient(url, timeout_s=0.3) as alertmanager,
    ):
        told = rf"^{url}/api/v1/query: no complete answer \({LATE}\)"
        with pytest.raises(ServerUnanswered, match=told):
            client.query("vector(1)")
        with pytest.raises(ServerUnanswered, match=LATE):
            alertmanager.check_ready()


@drips
def test_who_waits_gets_what_drips(place: str) -> None:
    """It is the time that ends the wait, and nothing else about such an answer."""
    with dripping(*ANSWERS[place]) as url, PrometheusClient(url, timeout_s=30) as client:
        assert client.query("vector(1)").samples == ()


def test_a_session_of_its_own_ends_in_time_too() -> None:
    """As others use it, who read the answer themselves; requests' own does not end."""
    with dripping(*ANSWERS["in the body"]) as url:
        with http_session(url) as session, pytest.raises(requests.ConnectionError, match="Read timed out"):
            session.get(url, timeout=0.3)
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(url, timeout=0.3).status_code == 200


@pytest.mark.parametrize("path", ["/big", "/packed"])
def test_an_answer_over_the_limit_is_not_read_to_its_end(
    server: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sent, or as unpacked."""
    with http_session(server) as session:
        assert ask(session, "GET", server + path, timeout_s=5).content == b" " * 5_000
        monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 4_999)
        with pytest.raises(AnswerTooLarge, match=rf"^{server}{path}: the answer has more than .* MiB: ask for less"):
            ask(session, "GET", server + path, timeout_s=5)


def test_both_clients_tell_of_an_answer_over_the_limit(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error of their own, and not as one of a server that does not answer."""
    monkeypatch.setattr(module, "MAX_ANSWER_BYTES", 1)
    with LokiClient(server) as loki, pytest.raises(LokiTooLarge, match=r"more than .* MiB: ask for less"):
        loki.check_ready()
    with PrometheusClient(server) as prometheus, pytest.raises(ServerError, match="ask for less") as caught:
        prometheus.check_ready()
    assert type(caught.value) is ServerError


def test_a_connection_serves_many_requests_each_with_its_own_time(server: str) -> None:
    """What was left of one answer's time is not the next one's."""
    with http_session(server) as session:
        for number in range(20):
            assert ask(session, "GET", f"{server}/{number}", timeout_s=30).text == f"/{number}"
        assert ask(session, "GET", f"{server}/connections", timeout_s=30).text == "1"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1", "no address", "ftp://127.0.0.1"])
def test_what_was_never_sent_is_told_apart(url: str) -> None:
    """From what may have been carried out."""
    with http_session(url) as session, pytest.raises(NoConnection):
        ask(session, "GET", url, timeout_s=5)


def test_a_connection_that_is_cut_is_no_answer() -> None:
    """The error says what happened to it, and nothing of time."""

    def cut() -> None:
        connection, _ = listener.accept()
        connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread = threading.Thread(target=cut, daemon=True)
        thread.start()
        with http_session(url) as session, pytest.raises(NoAnswer) as caught:
            ask(session, "GET", url, timeout_s=30)
        thread.join(10)
    assert type(caught.value) is NoAnswer
    assert "not whole" not in caught.value.reason


def test_proxies_are_for_the_outside_world(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's are used for another machine and not for this one."""
    monkeypatch.setenv("http_proxy", server)
    monkeypatch.setenv("no_proxy", "")
    for url, told in ((f"{server}/here", "/here"), ("http://loki.example/there", "http://loki.example/there")):
        with http_session(url) as session:
            assert ask(session, "GET", url, timeout_s=5).text == told
