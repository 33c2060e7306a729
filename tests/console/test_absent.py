"""Servers that are away, slow, or not what they should be: every page says so, soon, and is no error.

In: addresses where nobody listens, where nothing is answered or the answer drips, where another program answers. Out:
assertions on pages and times. Never: a mock; the slow servers are real sockets.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.test import Client

from logging_pkg.console import servers
from logging_pkg.console.asking import WORKERS, asker
from tests.console.conftest import NOBODY, settled
from tests.console.test_access import PAGES
from tests.dripping import ANSWERS, dripping

LOOKING = [address for address in PAGES if not address.endswith(("/console/", "/trace/"))]
#: The page's patience is 0.8 s; the rest is a slow machine's.
SOON_S = 4.0


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def stranger() -> Iterator[str]:
    """A web server that is none of ours."""

    class Hello(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b"<html>hello</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("address", LOOKING)
def test_an_absent_loki_is_told_of_at_once(staff: Client, addresses: Callable[..., None], address: str) -> None:
    """One sentence with the address, on every page."""
    addresses(loki_url=NOBODY)
    text = settled(staff, address)
    assert "Loki gives no answer." in text
    assert NOBODY in text


@pytest.mark.parametrize("address", ["/console/overview/", "/console/trace/0192f0c1/"])
def test_a_silent_loki_holds_no_page_up(
    staff: Client, addresses: Callable[..., None], silent: str, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page comes soon, says that it is asking, and later that there is no answer."""
    monkeypatch.setattr(servers, "TIMEOUT_S", 2.0)
    addresses(loki_url=silent)
    start = time.monotonic()
    first = staff.get(address).content.decode()
    assert time.monotonic() - start < SOON_S
    assert 'data-state="waiting"' in first
    assert 'hx-trigger="look, load delay:700ms"' in first
    last = settled(staff, address)
    assert "Loki gives no answer." in last
    assert "timed out" in last or "no complete answer" in last


@pytest.mark.parametrize("address", ["/console/overview/", "/console/trace/0192f0c1/", "/console/alerts/"])
def test_answers_that_drip_hold_no_page_up(
    staff: Client, addresses: Callable[..., None], address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A byte now and then is no answer: the page says so, and those who ask are free for other questions afterwards."""
    monkeypatch.setattr(servers, "TIMEOUT_S", 1.0)
    at_once, slowly = ANSWERS["in the body"]
    with dripping(at_once, slowly) as url:
        addresses(loki_url=url, prometheus_url=url, alertmanager_url=url)
        assert 'data-state="waiting"' in staff.get(address).content.decode()
        text = settled(staff, address)
        assert "Loki gives no answer." in text
        assert "not whole after 1 s: ask for less, or allow more time" in text
        free = threading.Barrier(WORKERS)
        waits = [asker().ask("nobody's", number, lambda: free.wait(20)) for number in range(WORKERS)]
        assert sorted(wait.result(20) for wait in waits) == list(range(WORKERS))


@pytest.mark.parametrize("address", ["/console/overview/", "/console/alerts/", "/console/pipeline/"])
def test_another_program_at_the_addresses_is_told_of(
    staff: Client, addresses: Callable[..., None], stranger: str, address: str
) -> None:
    """That what answers is not Loki, or not Prometheus."""
    addresses(loki_url=stranger, prometheus_url=stranger, alertmanager_url=stranger)
    text = settled(staff, address)
    assert "not an answer of" in text


def test_without_prometheus_the_rest_is_there(staff: Client) -> None:
    """Charts are missing, numbers of Loki are not."""
    text = settled(staff, "/console/overview/")
    assert "Prometheus gives no answer." in text
    assert "Loki gives no answer." not in text
    assert "no answer from Prometheus" in text


def test_an_address_that_is_not_set_is_no_failure_of_the_page(staff: Client, addresses: Callable[..., None]) -> None:
    """It says which setting is missing."""
    addresses(prometheus_url="")
    assert "no address of Prometheus: set PROMETHEUS_URL in LOGPIPE" in settled(staff, "/console/overview/")
