"""PrometheusClient and AlertmanagerClient against the real servers, and against what is none.

In: a Prometheus and an Alertmanager of this module. Out: assertions on values and errors. Never: a stub of either.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Mapping

import pytest

from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.prometheus_client import (
    AlertmanagerClient,
    PrometheusClient,
    ServerError,
    ServerUnanswered,
    ServerUnreachable,
)
from logging_pkg.stack import Binary, Stack


@pytest.fixture(scope="module")
def stack(stack_binaries: Mapping[str, Binary]) -> Iterator[Stack]:
    """Both, without any rule."""
    with Stack(servers=("prometheus", "alertmanager")) as stack:
        yield stack


def test_values_of_now_and_of_a_range(stack: Stack) -> None:
    """With labels; steps begin and end where asked, also past the six digits of a number in short."""
    end_s = int(time.time()) // 60 * 60
    labels = (("__name__", "a:b:c"), ("service_name", "shop"))
    Prometheus(stack.prometheus_url).write({labels: {(end_s - 60) * 1000: 1.5, end_s * 1000: 2.5}})
    with PrometheusClient(stack.prometheus_url) as client:
        client.check_ready()
        (sample,) = client.query("a:b:c").samples
        assert (sample.labels["service_name"], sample.value) == ("shop", 2.5)
        (series,) = client.query_range("a:b:c", end_s - 60, end_s, 60).series
        assert [(one.timestamp_ns, one.value) for one in series.samples] == [
            ((end_s - 60) * 10**9, 1.5),
            (end_s * 10**9, 2.5),
        ]
        assert (client.alerts(), client.rules()) == ([], [])
    with AlertmanagerClient(stack.alertmanager_url) as alertmanager:
        alertmanager.check_ready()
        assert (alertmanager.alerts(), alertmanager.silences()) == ([], [])


def test_a_refusal_names_address_and_reason(stack: Stack) -> None:
    """What Prometheus says of the query; another server at the address."""
    client = PrometheusClient(stack.prometheus_url)
    with pytest.raises(ServerError, match=r"/api/v1/query: HTTP 400: .*parse error"):
        client.query("sum(")
    with pytest.raises(ServerError, match="not an answer of Prometheus"):
        client.query('"text"')
    with pytest.raises(ServerError, match="HTTP 404"):
        PrometheusClient(stack.alertmanager_url).query("1")


def test_nobody_there_and_no_answer_are_told_apart() -> None:
    """A closed port; one that takes the connection and says nothing."""
    with pytest.raises(ServerUnreachable, match=r"127\.0\.0\.1:1/api/v1/rules: no connection; is Prometheus running"):
        PrometheusClient("http://127.0.0.1:1").rules()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServerUnanswered, match=r"/api/v2/alerts: no complete answer \(not whole after 0\.2 s"):
            AlertmanagerClient(url, timeout_s=0.2).alerts()
