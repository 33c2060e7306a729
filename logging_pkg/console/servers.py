"""The three servers the console reads.

In: LogQL, PromQL, IDs. Out: what the servers say, or the errors of their clients. Never: a write, a redirect followed,
an address other than those in the settings.
"""

from __future__ import annotations

import threading
import time
from typing import Any, TypeVar

from logging_pkg import conf
from logging_pkg.console.asking import Unavailable
from logging_pkg.loki_client import Alert, LokiClient, Matrix, Rule, Vector
from logging_pkg.prometheus_client import AlertmanagerClient, PrometheusClient

C = TypeVar("C", PrometheusClient, AlertmanagerClient)

#: For connecting, and for the whole of an answer, s.
TIMEOUT_S = 5.0
_SECOND_NS = 1_000_000_000
_local = threading.local()


def loki() -> LokiClient:
    """A client of this thread's own."""
    settings = conf.settings()
    key = (settings.loki_url, settings.loki_tenant)
    if getattr(_local, "loki_key", None) != key:
        _local.loki_key = key
        _local.loki = LokiClient(settings.loki_url, settings.loki_tenant or None, timeout_s=TIMEOUT_S)
    client: LokiClient = _local.loki
    return client


def loki_instant(query: str) -> Vector:
    """A metric query's value now."""
    answer = loki().query(query, time.time_ns())
    assert isinstance(answer, Vector)
    return answer


def loki_lines(query: str, window_s: int, limit: int) -> list[str]:
    """The newest lines of a log query, newest first."""
    end_ns = time.time_ns()
    answer = loki().query_range(query, end_ns - window_s * _SECOND_NS, end_ns, limit=limit, direction="backward")
    assert not isinstance(answer, Matrix)
    return [entry.line for entry in reversed(answer.entries)]


def prometheus_instant(query: str) -> Vector:
    """A PromQL query's value now."""
    return prometheus().query(query)


def prometheus_range(query: str, window_s: int, step_s: int) -> Matrix:
    """A PromQL query's values over the last seconds. Steps lie on multiples of their length: charts stand still."""
    end_s = int(time.time()) // step_s * step_s
    return prometheus().query_range(query, end_s - window_s, end_s, step_s)


def prometheus_alerts() -> list[Alert]:
    """The alerts of Prometheus's own rules that are pending or firing."""
    return prometheus().alerts()


def prometheus_rules() -> list[Rule]:
    """Every rule that Prometheus has loaded."""
    return [rule for group in prometheus().rules() for rule in group.rules]


def alertmanager_alerts() -> list[dict[str, Any]]:
    """Every alert that Alertmanager holds, as its version 2 interface gives it."""
    return alertmanager().alerts()


def is_ready(name: str) -> bool:
    """Whether a server says that it is ready; raises where there is no answer."""
    match name:
        case "Loki":
            loki().check_ready()
        case "Prometheus":
            prometheus().check_ready()
        case _:
            alertmanager().check_ready()
    return True


def prometheus() -> PrometheusClient:
    """A client of this thread's own."""
    return _client(PrometheusClient, conf.settings().prometheus_url)


def alertmanager() -> AlertmanagerClient:
    """A client of this thread's own."""
    return _client(AlertmanagerClient, conf.settings().alertmanager_url)


def _client(kind: type[C], url: str) -> C:
    if not url:
        raise Unavailable(f"no address of {kind.name}: set {kind.name.upper()}_URL in LOGPIPE")
    client: C | None = getattr(_local, kind.name, None)
    if client is None or client.url != url.rstrip("/"):
        client = kind(url, timeout_s=TIMEOUT_S)
        setattr(_local, kind.name, client)
    return client
