"""One connection pool to one Prometheus, or to one Alertmanager.

In: PromQL, times in seconds since 1970. Out: typed results, or the errors of `errors`. Never: a redirect followed, a
proxy for a loopback address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Self, TypeVar

import orjson

from logging_pkg.http_session import Answer, AnswerTooLarge, NoAnswer, NoConnection, ask, http_session
from logging_pkg.loki_client.models import (
    Alert,
    Matrix,
    RuleGroup,
    Vector,
    parse_alert,
    parse_group,
    parse_matrix,
    parse_vector,
)
from logging_pkg.prometheus_client.errors import ServerError, ServerUnanswered, ServerUnreachable

T = TypeVar("T")
_SHOWN: Final = 300


class _Client:
    """What both have in common: GET, JSON, errors that name the server."""

    name: str

    def __init__(self, url: str, timeout_s: float = 30.0) -> None:
        self.url = url.rstrip("/")
        self.timeout_s = timeout_s
        self._session = http_session(self.url)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._session.close()

    def check_ready(self) -> None:
        """Return when the server says that it is ready.

        Raises:
            ServerError: it does not, or does not answer.
        """
        self._answer("/-/ready", {})

    def _parsed(self, path: str, params: Mapping[str, str], parse: Callable[[Any], T]) -> T:
        answer = self._answer(path, params)
        try:
            return parse(orjson.loads(answer.content))
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {error}"
            raise ServerError(
                f"{answer.url}: not an answer of {self.name} ({reason[:_SHOWN]}): {answer.text[:100]!r}. "
                "Is this its address?"
            ) from error

    def _answer(self, path: str, params: Mapping[str, str]) -> Answer:
        url = self.url + path
        try:
            answer = ask(self._session, "GET", url, timeout_s=self.timeout_s, params=params)
        except NoConnection as error:
            raise ServerUnreachable(f"{url}: no connection; is {self.name} running at this address?") from error
        except AnswerTooLarge as error:
            raise ServerError(str(error)) from error
        except NoAnswer as error:
            raise ServerUnanswered(f"{url}: no complete answer ({error.reason[:_SHOWN]})") from error
        if answer.status >= 300:
            raise ServerError(f"{url}: HTTP {answer.status}: {' '.join(answer.text.split())[:_SHOWN]}")
        return answer


class PrometheusClient(_Client):
    """Asks the Prometheus at `url`. Not safe to share between threads.

    Args:
        url: scheme, host and port, for example http://127.0.0.1:9090.
        timeout_s: for connecting, and for the whole of an answer; also what a query may take there.

    Every method raises ServerUnreachable, ServerUnanswered or ServerError when the call does not succeed.
    """

    name = "Prometheus"

    def query(self, expr: str, at_ms: int | None = None) -> Vector:
        """A PromQL expression's value now, or at a time in ms since 1970."""
        asked = {"query": expr, "timeout": f"{self.timeout_s:g}s"}
        if at_ms is not None:
            asked["time"] = f"{at_ms // 1000}.{at_ms % 1000:03d}"
        return self._parsed("/api/v1/query", asked, lambda found: parse_vector(_result(found, "vector")))

    def query_range(self, expr: str, start_s: float, end_s: float, step_s: float) -> Matrix:
        """Its values every `step_s` seconds, both ends included."""
        # repr, because :g would round seconds since 1970 to six digits.
        times = {"start": repr(start_s), "end": repr(end_s), "step": repr(step_s)}
        asked = {"query": expr, **times, "timeout": f"{self.timeout_s:g}s"}
        return self._parsed("/api/v1/query_range", asked, lambda found: parse_matrix(_result(found, "matrix")))

    def alerts(self) -> list[Alert]:
        """The alerts of its own rules that are pending or firing."""
        return self._parsed("/api/v1/alerts", {}, lambda found: [parse_alert(a) for a in found["data"]["alerts"]])

    def rules(self) -> list[RuleGroup]:
        """Every rule group it has loaded, with the health of each rule."""
        return self._parsed("/api/v1/rules", {}, lambda found: [parse_group(g) for g in found["data"]["groups"]])


class AlertmanagerClient(_Client):
    """Asks the Alertmanager at `url`. Arguments and errors are those of PrometheusClient."""

    name = "Alertmanager"

    def alerts(self) -> list[dict[str, Any]]:
        """Every alert that it holds, as its version 2 interface gives it."""
        return self._parsed("/api/v2/alerts", {}, _documents)

    def silences(self) -> list[dict[str, Any]]:
        """Every silence, also those that are over."""
        return self._parsed("/api/v2/silences", {}, _documents)


def _result(document: Any, expected: str) -> list[Any]:
    data = document["data"]
    if data["resultType"] != expected:
        raise ValueError(f"expected a {expected}, got {data['resultType']!r}")
    found: list[Any] = data["result"]
    return found


def _documents(found: Any) -> list[dict[str, Any]]:
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise TypeError(f"expected a list of objects, got {type(found).__name__}")
    return found
