"""The three servers the console reads.

In: LogQL, PromQL, IDs. Out: what the servers say, or the errors of loki_client. Never: a write, a redirect followed, an
address other than those in the settings.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests

from logging_pkg import conf
from logging_pkg.console.asking import Unanswered, Unavailable, Unreachable
from logging_pkg.loki_client import Alert, LokiClient, Matrix, Rule, Vector
from logging_pkg.loki_client.models import parse_alert, parse_group, parse_matrix, parse_vector

T = TypeVar("T")

#: For connecting, and for each wait for the next bytes, s.
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
    data = _get("Prometheus", conf.settings().prometheus_url, "/api/v1/query", {"query": query, "timeout": "5s"})
    return parse_vector(_data(data, "vector"))


def prometheus_range(query: str, window_s: int, step_s: int) -> Matrix:
    """A PromQL query's values over the last seconds. Steps lie on multiples of their length: charts stand still."""
    end_s = int(time.time()) // step_s * step_s
    data = _get(
        "Prometheus",
        conf.settings().prometheus_url,
        "/api/v1/query_range",
        {"query": query, "start": str(end_s - window_s), "end": str(end_s), "step": str(step_s), "timeout": "5s"},
    )
    return parse_matrix(_data(data, "matrix"))


def prometheus_alerts() -> list[Alert]:
    """The alerts of Prometheus's own rules that are pending or firing."""
    data = _get("Prometheus", conf.settings().prometheus_url, "/api/v1/alerts", {})
    return _parsed(data, lambda found: [parse_alert(item) for item in found["alerts"]])


def prometheus_rules() -> list[Rule]:
    """Every rule that Prometheus has loaded."""
    data = _get("Prometheus", conf.settings().prometheus_url, "/api/v1/rules", {})
    return _parsed(data, lambda found: [rule for item in found["groups"] for rule in parse_group(item).rules])


def alertmanager_alerts() -> list[dict[str, Any]]:
    """Every alert that Alertmanager holds, as its version 2 interface gives it."""
    data = _get("Alertmanager", conf.settings().alertmanager_url, "/api/v2/alerts", {})
    if not isinstance(data, list):
        raise Unavailable(f"{conf.settings().alertmanager_url}: not an answer of Alertmanager: {str(data)[:100]!r}")
    return data


def is_ready(name: str) -> bool:
    """Whether a server says that it is ready; raises where there is no answer."""
    settings = conf.settings()
    if name == "Loki":
        loki()._request("GET", "/ready")
        return True
    url = settings.prometheus_url if name == "Prometheus" else settings.alertmanager_url
    _get(name, url, "/-/ready", {}, is_json=False)
    return True


def _parsed(document: Any, parse: Callable[[Any], T]) -> T:
    try:
        return parse(document["data"])
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise Unavailable(f"{conf.settings().prometheus_url}: not an answer of Prometheus: {reason}") from error


def _data(document: Any, expected: str) -> list[Any]:
    """What is in an answer of Prometheus's."""
    try:
        data = document["data"]
        if data["resultType"] == expected:
            found: list[Any] = data["result"]
            return found
        reason = f"expected a {expected}, got {data['resultType']!r}"
    except (KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
    raise Unavailable(f"{conf.settings().prometheus_url}: not an answer of Prometheus: {reason}")


def _get(name: str, root: str, path: str, params: Mapping[str, str], *, is_json: bool = True) -> Any:
    if not root:
        raise Unavailable(f"no address of {name}: set {name.upper()}_URL in LOGPIPE")
    url = root.rstrip("/") + path
    try:
        response = _session().get(url, params=params, timeout=TIMEOUT_S, allow_redirects=False)
    except requests.ReadTimeout as error:
        raise Unanswered(f"{url}: no answer in {TIMEOUT_S:g} s") from error
    except requests.ConnectionError as error:
        raise Unreachable(f"{url}: no connection; is {name} running at this address?") from error
    except requests.RequestException as error:
        raise Unanswered(f"{url}: {str(error)[:200]}") from error
    if response.status_code >= 300:
        raise Unavailable(f"{url}: HTTP {response.status_code}: {' '.join(response.text.split())[:300]}")
    if not is_json:
        return response.text
    try:
        return response.json()
    except ValueError as error:
        raise Unavailable(f"{url}: not an answer of {name}: {response.text[:100]!r}") from error


def _session() -> requests.Session:
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = requests.Session()
        # As LokiClient does: a proxy of the environment has no way to a loopback address.
        hosts = {urlsplit(url).hostname for url in (conf.settings().prometheus_url, conf.settings().alertmanager_url)}
        if hosts <= {"127.0.0.1", "localhost", "::1", None}:
            session.trust_env = False
    return session
