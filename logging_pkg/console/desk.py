"""The questions of one page: all asked at once, waited for once, each with the query behind it.

In: queries. Out: Questions, whose answers are there after `settle`. Never: a question after another's answer.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from logging_pkg import conf
from logging_pkg.console import servers
from logging_pkg.console.asking import Answer, Asker, asker, settle
from logging_pkg.console.explore import Language, explore_url
from logging_pkg.console.selection import Selection
from logging_pkg.loki_client import Rule
from logging_pkg.pipeline.correlation import Found, NoSuchId, look_up

#: Events of a trace at most: one page of Loki's.
TRACE_EVENTS = 5000


@dataclass(frozen=True, slots=True)
class Question:
    """A query and its answer.

    Attributes:
        language: LogQL, PromQL or, for what is no query, HTTP.
        query: as asked.
        server: whom.
        explore: the address of the same query in Grafana; empty where there is none.
    """

    language: Language
    query: str
    server: str
    explore: str
    _key: object
    _future: Future[Any]
    _asker: Asker

    @property
    def answer(self) -> Answer:
        """What is known now."""
        return self._asker.answer(self.server, self._key, self._future)


class Desk:
    """Asks for one page.

    Args:
        selection: what the page is about.
    """

    def __init__(self, selection: Selection) -> None:
        self.selection = selection
        self.questions: list[Question] = []
        self._asker = asker()

    def logql(self, query: str) -> Question:
        """A LogQL metric query's value now."""
        return self._ask("LogQL", "Loki", query, partial(servers.loki_instant, query))

    def lines(self, query: str, limit: int) -> Question:
        """The newest lines of a LogQL log query."""
        window_s = self.selection.window_s
        return self._ask("LogQL", "Loki", query, partial(servers.loki_lines, query, window_s, limit), window_s, limit)

    def promql(self, query: str) -> Question:
        """A PromQL query's value now."""
        return self._ask("PromQL", "Prometheus", query, partial(servers.prometheus_instant, query))

    def series(self, query: str) -> Question:
        """A PromQL query's values over the selected time."""
        window_s, step_s = self.selection.window_s, self.selection.step_s
        question = partial(servers.prometheus_range, query, window_s, step_s)
        return self._ask("PromQL", "Prometheus", query, question, window_s, step_s)

    def rules(self) -> Question:
        """Every rule of Loki's ruler."""
        return self._ask("HTTP", "Loki", "GET /prometheus/api/v1/rules", _rules)

    def alerts(self) -> Question:
        """Every alert that is pending or firing."""
        return self._ask("HTTP", "Loki", "GET /prometheus/api/v1/alerts", lambda: servers.loki().alerts())

    def prometheus_rules(self) -> Question:
        """Every rule of Prometheus's own."""
        return self._ask("HTTP", "Prometheus", "GET /api/v1/rules", servers.prometheus_rules)

    def prometheus_alerts(self) -> Question:
        """Every alert of Prometheus's own rules that is pending or firing."""
        return self._ask("HTTP", "Prometheus", "GET /api/v1/alerts", servers.prometheus_alerts)

    def deliveries(self) -> Question:
        """Every alert that Alertmanager holds."""
        return self._ask("HTTP", "Alertmanager", "GET /api/v2/alerts", servers.alertmanager_alerts)

    def ready(self, server: str) -> Question:
        """Whether a server is ready."""
        path = "/ready" if server == "Loki" else "/-/ready"
        return self._ask("HTTP", server, f"GET {path}", partial(servers.is_ready, server))

    def label_values(self, name: str) -> Question:
        """The values of a stream label."""
        query = f"GET /loki/api/v1/label/{name}/values"
        return self._ask("HTTP", "Loki", query, lambda: servers.loki().label_values(name))

    def trace(self, some_id: str, at_ns: int | None = None) -> Question:
        """What belongs to an ID, as `look_up` finds it; which queries that took is told with the answer."""
        question = partial(_trace, some_id, at_ns)
        return self._ask("HTTP", "Loki", f"the events of {some_id}", question, "trace", at_ns)

    def settle(self, timeout_s: float) -> None:
        """Wait for the answers, at most so long."""
        settle([question._future for question in self.questions if question.answer.state == "waiting"], timeout_s)

    @property
    def is_waiting(self) -> bool:
        """Whether an answer is still to come."""
        return any(question.answer.state == "waiting" for question in self.questions)

    def _ask(self, language: Language, server: str, query: str, question: Callable[[], Any], *more: object) -> Question:
        settings = conf.settings()
        where = {"Loki": settings.loki_url, "Prometheus": settings.prometheus_url}.get(
            server, settings.alertmanager_url
        )
        key = (where, language, query, *more)
        explore = explore_url(language, query, self.selection.range)
        asked = Question(language, query, server, explore, key, self._asker.ask(server, key, question), self._asker)
        self.questions.append(asked)
        return asked


def _rules() -> list[Rule]:
    return [rule for group in servers.loki().rules() for rule in group.rules]


def _trace(some_id: str, at_ns: int | None) -> Found | NoSuchId:
    try:
        return look_up(servers.loki(), some_id, at_ns=at_ns, limit=TRACE_EVENTS)
    except NoSuchId as problem:
        return problem  # an answer of Loki's, and not that it gives none
