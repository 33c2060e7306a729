"""Health checks against real sockets: good answers, bad ones, none, and ones that trickle."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from logging_pkg.exceptions import ConfigurationError
from logging_pkg.pipeline.health_check import Check, read_checks, run_check
from logging_pkg.schemas import load_registry

REGISTRY = load_registry()


@contextmanager
def server(speak: Callable[[socket.socket], None], context: ssl.SSLContext | None = None) -> Iterator[int]:
    """One connection after the other is given to `speak`, after its request was read; yields the port."""

    def serve(listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    with context.wrap_socket(connection, server_side=True) if context else connection as secured:
                        secured.recv(65536)
                        speak(secured)
                except OSError:
                    pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,), daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def answering(text: str) -> Callable[[socket.socket], None]:
    return lambda connection: connection.sendall(text.replace("\n", "\r\n").encode())


def looked_at(port: int, timeout_s: float = 5, target: str = "/healthz?secret=1", scheme: str = "http") -> dict:
    (check,) = read_checks([f"shop={scheme}://localhost:{port}{target}"])
    found = run_check(check, timeout_s, 30)
    validator = REGISTRY.events["health.check_finished"]
    assert validator.accepts(found), found
    assert found["url"] == f"{scheme}://localhost:{port}/healthz"
    return found


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (200, "up"),
        (204, "up"),
        (299, "up"),
        (302, "wrong_status"),
        (404, "wrong_status"),
        (503, "wrong_status"),
        (600, "wrong_status"),
    ],
)
def test_the_status_decides(status: int, outcome: str) -> None:
    """2xx is well; a redirect is not followed."""
    with server(answering(f"HTTP/1.1 {status} X\nContent-Length: 0\nLocation: /\nConnection: close\n\n")) as port:
        found = looked_at(port)
    assert (found["outcome"], found["is_up"]) == (outcome, int(outcome == "up"))
    assert found["status_code"] == status


def test_headers_arrive_and_the_query_is_asked_but_not_told() -> None:
    """What identifies the check goes along, the query as well; no line has it."""
    heard = []

    def speak(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def hear() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(65536).decode())
                speak(connection)

        thread = threading.Thread(target=hear)
        thread.start()
        (check,) = read_checks([f"http://127.0.0.1:{port}/healthz?secret=1"])
        found = run_check(check, 5, None, {"X-Correlation-ID": "f" * 32})
        thread.join()
    assert heard[0].startswith("GET /healthz?secret=1 HTTP/1.1\r\n")
    assert "X-Correlation-ID: " + "f" * 32 in heard[0]
    assert (found["is_up"], found["check"], found["interval_s"]) == (1, f"127.0.0.1:{port}", None)
    assert "secret" not in str(found)


def test_an_answer_that_trickles_is_cut_off_in_time() -> None:
    """The limit is for the whole answer; a byte now and then does not prolong it."""

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for _ in range(200):
            connection.sendall(b"X: y\r\n")
            time.sleep(0.02)

    with server(trickle) as port:
        found = looked_at(port, timeout_s=0.3)
    assert (found["outcome"], found["status_code"]) == ("timed_out", None)
    assert 300 <= found["duration_ms"] < 3000


def test_a_server_that_says_nothing_times_out() -> None:
    """Connected, and no word."""
    with server(lambda _connection: time.sleep(1)) as port:
        assert looked_at(port, timeout_s=0.2)["outcome"] == "timed_out"


@pytest.mark.parametrize("text", ["", "SSH-2.0-OpenSSH\n", "HTTP/1.1 200 OK\nContent-Length: 9\n\nhalf"])
def test_what_is_no_answer_is_broken_off(text: str) -> None:
    """Closed at once, another protocol, or half an answer."""
    with server(answering(text)) as port:
        found = looked_at(port)
    assert (found["outcome"], found["is_up"]) == ("broken_off", 0)
    assert found["error_type"].startswith("http.client.")


def test_a_closed_port_and_an_unknown_name_are_unreachable() -> None:
    """Nobody listens; nobody is called so."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    found = looked_at(port)
    assert (found["outcome"], found["error_type"]) == ("unreachable", "builtins.ConnectionRefusedError")
    (check,) = read_checks(["http://nobody.invalid/"])
    found = run_check(check, 5)
    assert (found["outcome"], found["error_type"]) == ("unreachable", "socket.gaierror")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of localhost, for 30 days, signed by itself; key and certificate in one file."""
    directory = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    )
    subprocess.run([*command.split(), "-keyout", "key", "-out", "cert"], cwd=directory, check=True, capture_output=True)
    (directory / "both").write_text((directory / "key").read_text() + (directory / "cert").read_text())
    return directory / "both"


def test_tls_tells_when_the_certificate_expires(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Days are left; without trust in it the check fails."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with server(answering("HTTP/1.1 200 OK\nContent-Length: 0\n\n"), context) as port:
        untrusted = looked_at(port, scheme="https")
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        trusted = looked_at(port, scheme="https")
    assert (untrusted["outcome"], untrusted["tls_expires_in_days"]) == ("tls_failed", None)
    assert untrusted["error_type"] == "ssl.SSLCertVerificationError"
    assert (trusted["outcome"], trusted["is_up"]) == ("up", 1)
    assert trusted["tls_expires_in_days"] == pytest.approx(30, abs=0.1)


def test_checks_are_named_by_host_or_by_hand() -> None:
    """`name=` in front; an `=` in the address is none."""
    assert read_checks(["https://Shop.example/healthz", "api=http://[::1]:8000/?a=b=c", "http://x:81/a=b"]) == [
        Check("shop.example", "https", "shop.example", None, "/healthz", "/healthz"),
        Check("api", "http", "::1", 8000, "/", "/?a=b=c"),
        Check("x:81", "http", "x", 81, "/a=b", "/a=b"),
    ]
    assert read_checks(["a=http://[::1]:8000/a"])[0].url == "http://[::1]:8000/a"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["ftp://x/"], "no address"),
        (["shop"], "no address"),
        (["http://x:99999/"], "no address"),
        (["http://user:pw@x/"], "user name"),
        (["Shop 1=http://x/"], "no name of a check"),
        (["http://x/a", "http://x/b"], "two checks are named x"),
        ([f"c{n}=http://x/" for n in range(51)], "at most 50"),
    ],
)
def test_what_cannot_be_checked_is_said_at_once(arguments: list[str], problem: str) -> None:
    """Before the first look; a password in an address is not repeated."""
    with pytest.raises(ConfigurationError, match=problem) as caught:
        read_checks(arguments)
    assert "pw" not in str(caught.value)
