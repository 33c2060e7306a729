"""Pushing entries to a real Loki."""

from __future__ import annotations

import gzip
import json

import pytest

from logging_pkg.loki_client import Entry, LokiClient, LokiRejected, Stream
from logging_pkg.loki_client.models import push_document

from .conftest import Store


@pytest.mark.parametrize("compressed", [True, False])
def test_entry_comes_back_as_pushed(store: Store, loki: LokiClient, compressed: bool) -> None:
    """Labels, time to the nanosecond, line and structured metadata survive, with and without compression."""
    entry = Entry(store.start_ns + 123, 'line with "quotes", \\ and 🎈', {"event_id": "a-1", "correlation_id": "3f0c"})
    loki.push([store.stream([entry])], gzip=compressed)
    found = loki.query_range(store.selector, *store.range)
    assert len(found.streams) == 1
    assert found.streams[0].labels == {"service_name": store.service, "env": "test", "event": "test.thing_done"}
    assert list(found.streams[0].entries) == [entry]


def test_body_encoded_by_the_caller_is_sent_as_it_is(store: Store, loki: LokiClient) -> None:
    """push_encoded takes bytes and the headers that describe them."""
    body = {"streams": [{"stream": {"service_name": store.service}, "values": [[str(store.start_ns), "encoded"]]}]}
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    loki.push_encoded(gzip.compress(json.dumps(body).encode()), headers)
    assert store.lines() == ["encoded"]


def test_text_that_cannot_be_encoded_is_named_before_sending(store: Store, loki: LokiClient) -> None:
    """A lone surrogate is a ValueError, and nothing of the batch is sent."""
    with pytest.raises(ValueError, match="lone surrogates"):
        loki.push([store.stream([Entry(store.start_ns, "fine"), Entry(store.start_ns, "\ud800")])])
    assert store.lines() == []


def test_connection_is_reused(store: Store, loki_server) -> None:
    """Pushes of one client share a connection."""
    with LokiClient(loki_server.loki_url) as client:
        for number in range(3):
            client.push([store.stream([Entry(store.start_ns + number, "x")])])
        pools = client._session.get_adapter(client.url).poolmanager.pools
        assert [(pools[key].num_requests, pools[key].num_connections) for key in list(pools.keys())] == [(3, 1)]


def test_refusal_of_any_stream_is_seen(store: Store, loki: LokiClient) -> None:
    """Loki reports the last stream's refusal only; because each stream is a request, the first one's arrives as well."""
    hour_ns = 3600 * 1_000_000_000
    store.push({0: "newest"})
    late = store.stream([Entry(store.start_ns - 13 * hour_ns, "too late")])
    fine = store.stream([Entry(store.start_ns, "fine")], event="other.one_done")
    with pytest.raises(LokiRejected, match="too far behind"):
        loki.push([late, fine])
    loki.push_encoded(json.dumps(push_document([late, fine])).encode(), {"Content-Type": "application/json"})
    assert sorted(store.lines()) == ["fine", "newest"]


def test_stream_without_entries_is_not_sent() -> None:
    """Nothing to push is no request: it succeeds where no Loki is."""
    with LokiClient("http://127.0.0.1:1") as client:
        client.push([Stream({"service_name": "x"}, [])])
