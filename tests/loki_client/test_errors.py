"""Every way a call can fail, met on a real Loki or a real socket; each error names URL, status, message and next step."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from logging_pkg.exceptions import LokiError
from logging_pkg.loki_client import (
    Entry,
    LokiAnswerError,
    LokiClient,
    LokiRateLimited,
    LokiRejected,
    LokiServerError,
    LokiTooLarge,
    LokiUnanswered,
    LokiUnreachable,
    Stream,
)
from logging_pkg.loki_client.errors import MESSAGE_LIMIT, status_error
from logging_pkg.stack import Stack

from .conftest import Store

HOUR_NS = 3600 * 1_000_000_000
ONE = [Stream({"service_name": "test"}, [Entry(1, "x")])]


@pytest.fixture(scope="module")
def tight_loki(stack_binaries) -> Iterator[Stack]:
    """A Loki with limits low enough to be met: 1 MB at once for all, 100 KB for a stream, gRPC messages as by default."""
    changes = {
        "server": {"grpc_server_max_recv_msg_size": 4 * 1024 * 1024},
        "limits_config": {
            "ingestion_rate_mb": 6,
            "ingestion_burst_size_mb": 6,
            "per_stream_rate_limit": "100KB",
            "per_stream_rate_limit_burst": "100KB",
        },
    }
    with Stack(servers=("loki",), loki_changes=changes) as stack:
        yield stack


@pytest.fixture
def tight(tight_loki: Stack) -> Iterator[Store]:
    with LokiClient(tight_loki.loki_url) as client:
        yield Store(client)


def test_query_that_does_not_parse_is_rejected(loki: LokiClient) -> None:
    """400 with Loki's parse error, which has line and column."""
    with pytest.raises(LokiRejected, match="parse error at line 1, col 4") as caught:
        loki.query("{a=")
    assert (caught.value.status, caught.value.url) == (400, f"{loki.url}/loki/api/v1/query")


def test_body_that_is_not_json_is_rejected(loki: LokiClient) -> None:
    """400 for a malformed push."""
    with pytest.raises(LokiRejected) as caught:
        loki.push_encoded(b"{", {"Content-Type": "application/json"})
    assert caught.value.status == 400


def test_unknown_path_is_rejected(loki_server: Stack) -> None:
    """A wrong base URL is a 404, not a result."""
    with pytest.raises(LokiRejected) as caught:
        LokiClient(loki_server.loki_url + "/prefix").labels()
    assert caught.value.status == 404


def test_entry_within_half_of_max_chunk_age_is_taken(store: Store, loki: LokiClient) -> None:
    """max_chunk_age is 24h in loki.yaml, so an entry 11 hours behind its stream's newest is stored."""
    store.push({0: "newest"})
    store.push({-11 * HOUR_NS: "late"})
    found = loki.query_range(store.selector, store.start_ns - 12 * HOUR_NS, time.time_ns())
    assert [entry.line for entry in found.entries] == ["late", "newest"]


def test_entry_later_than_half_of_max_chunk_age_is_rejected_alone(store: Store, loki: LokiClient) -> None:
    """13 hours behind is 400 for the batch, and the other entries of the batch are stored all the same."""
    store.push({0: "newest"})
    with pytest.raises(LokiRejected, match="entry too far behind"):
        loki.push(
            [store.stream([Entry(store.start_ns - 13 * HOUR_NS, "too late"), Entry(store.start_ns + 1, "in time")])]
        )
    assert store.lines() == ["newest", "in time"]


def test_entry_over_the_line_limit_is_too_large_alone(store: Store, loki: LokiClient) -> None:
    """A line over max_line_size is 400 and LokiTooLarge; the other entries of the batch are stored."""
    with pytest.raises(LokiTooLarge, match="max entry size") as caught:
        loki.push([store.stream([Entry(store.start_ns, "x" * 300_000), Entry(store.start_ns + 1, "short")])])
    assert caught.value.status == 400
    assert store.lines() == ["short"]


def test_structured_metadata_over_its_limit_is_too_large(store: Store, loki: LokiClient) -> None:
    """More than 64 KB of metadata on one entry."""
    with pytest.raises(LokiTooLarge, match="structured metadata too large"):
        loki.push([store.stream([Entry(store.start_ns, "x", {"event_id": "y" * 70_000})])])


def test_push_over_the_message_size_is_too_large(tight: Store) -> None:
    """4.7 MB decoded is answered 500 where gRPC's message size is the default: a size limit, not a failing server."""
    entries = [Entry(tight.start_ns + n, "x" * 47_000) for n in range(100)]
    with pytest.raises(LokiTooLarge, match="received message larger than max") as caught:
        tight.client.push([tight.stream(entries)])
    assert caught.value.status == 500


def test_batch_over_the_ingestion_rate_is_rate_limited_and_not_stored(tight: Store) -> None:
    """429 for the tenant's limit refuses the whole batch."""
    entries = [Entry(tight.start_ns + n, "x" * 40_000) for n in range(160)]
    with pytest.raises(LokiRateLimited, match="ingestion rate limit exceeded"):
        tight.client.push([tight.stream(entries)])
    assert tight.lines() == []


def test_stream_over_its_rate_is_rate_limited(tight: Store) -> None:
    """429 for one stream's limit; streams pushed before it are stored, and of it what fitted the limit: the rest is in doubt."""
    calm = tight.stream([Entry(tight.start_ns, "calm")], event="calm.one_done")
    flood = tight.stream([Entry(tight.start_ns + n, "x" * 10_000) for n in range(30)], event="flood.one_done")
    with pytest.raises(LokiRateLimited, match="Per stream rate limit"):
        tight.client.push([calm, flood])
    stored = tight.lines()
    assert stored[0] == "calm"
    assert 1 < len(stored) < 31


@pytest.mark.parametrize("status", [b"200 OK", b"260 Blocked"])
def test_push_is_successful_only_with_204(peer: Callable[[bytes], str], status: bytes) -> None:
    """Another server's 200 and the 260 of a Loki that takes nothing are not taken for storage."""
    with pytest.raises(LokiAnswerError, match="expected 204"):
        LokiClient(peer(b"HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n" % status)).push(ONE)


def test_no_listener_is_unreachable() -> None:
    """A refused connection says that nothing was sent."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound but not listening: nobody else can take it, and connecting is refused
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        with pytest.raises(LokiUnreachable, match="nothing was sent") as caught:
            LokiClient(url).push(ONE)
    assert url in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://no-such-host.invalid:3100", "http://127.0.0.1:99999", "127.0.0.1:3100", "ftp://127.0.0.1"]
)
def test_address_that_cannot_be_used_is_unreachable(url: str) -> None:
    """A name that does not resolve and a malformed URL are told like a refused connection."""
    with pytest.raises(LokiUnreachable):
        LokiClient(url, timeout_s=5).labels()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="before the answer"),
        pytest.param(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status"', id="in the body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", id="in a chunk"),
    ],
)
def test_connection_cut_is_unanswered(peer: Callable[[bytes], str], answer: bytes) -> None:
    """Wherever the connection breaks off after sending, the push may have been stored."""
    with LokiClient(peer(answer)) as client, pytest.raises(LokiUnanswered, match="Read back what is stored"):
        client.push(ONE)


def test_answer_that_does_not_come_is_unanswered(store: Store) -> None:
    """A server that accepts and says nothing, until the client's time is out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client = LokiClient(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.2)
        with pytest.raises(LokiUnanswered):
            client.push([store.stream([Entry(store.start_ns, "x")])])


@pytest.mark.parametrize(
    "body",
    [
        b"<html>It works!</html>",
        b"[]",
        b'{"data": {"resultType": "vector"}}',
        b'{"data": {"resultType": "other"}}',
        b"{}",
    ],
)
def test_answer_of_another_program_is_named(peer: Callable[[bytes], str], body: bytes) -> None:
    """200 with something else than Loki's JSON."""
    url = peer(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    with pytest.raises(LokiAnswerError, match="Is this Loki's address"):
        LokiClient(url).query("1 + 1")


def test_redirect_is_rejected_and_not_followed(peer: Callable[[bytes], str]) -> None:
    """A push that is redirected would lose its body on the way."""
    url = peer(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(LokiRejected, match="HTTP 302"):
        LokiClient(url).push(ONE)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "parse error", LokiRejected),
        (401, "no org id", LokiRejected),
        (429, "Maximum active stream limit exceeded", LokiRateLimited),
        (413, "", LokiTooLarge),
        (
            500,
            "rpc error: code = ResourceExhausted desc = grpc: received message larger than max (5 vs. 4)",
            LokiTooLarge,
        ),
        (500, "internal error", LokiServerError),
        (502, "response larger than the max", LokiServerError),
        (503, "Ingester not ready", LokiServerError),
    ],
)
def test_status_and_message_decide_the_class(status: int, message: str, kind: type[LokiError]) -> None:
    """The classes are told apart by what the caller should do, not by the first digit of the status alone."""
    assert type(status_error("http://127.0.0.1:3100/x", status, message)) is kind


def test_long_message_is_bounded() -> None:
    """Loki repeats whole selectors and lines; an error holds a bounded part, on one line."""
    error = status_error("http://127.0.0.1:3100/x", 400, "long\n" * 10_000)
    assert len(error.message) == MESSAGE_LIMIT
    assert "\n" not in str(error)
