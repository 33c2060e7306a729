"""Ask a real Loki and Prometheus what each panel asks.

In: panels, clients, a span of time. Out: an Answer per panel: data, nothing to show, or broken and why.
Never: a Grafana; writes to a server.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from logging_pkg.exceptions import LokiError
from logging_pkg.http_session import http_session
from logging_pkg.loki_client import LokiClient, Matrix, Vector
from logging_pkg.pipeline.dashboards.build import SERIES
from logging_pkg.pipeline.dashboards.panels_of import ReadPanel, ReadQuery, filled_in, labels_in
from logging_pkg.pipeline.generate import MAX_INTERVAL_S

_STEP_S: Final = 15.0
_MOST_LINES: Final = 20
#: A rule is evaluated up to its interval after a line, reads lines older than 30 s, and what it made is then sent: what
#: is younger need not be recorded.
RECORDED_WITHIN_S: Final = int(MAX_INTERVAL_S) + 30 + 15
#: Every choice of every variable.
_EVERYTHING: Final = ".*"


class Prometheus:
    """Queries of Prometheus over a span of time.

    Args:
        url: of the server.
        start_ns, end_ns: the span, ns since 1970.
    """

    def __init__(self, url: str, start_ns: int, end_ns: int) -> None:
        self._url = url.rstrip("/")
        self._end_s = end_ns / 1e9
        # Steps are counted from the start; so that one of them is the end, where the newest samples are.
        self._start_s = self._end_s - (end_ns - start_ns) // int(_STEP_S * 1e9) * _STEP_S
        self._session = http_session(self._url)

    def series(self, expr: str, *, is_instant: bool) -> list[dict[str, str]]:
        """Label sets of the answer.

        Raises:
            ValueError: Prometheus refused the query.
        """
        when = {"time": self._end_s} if is_instant else {"start": self._start_s, "end": self._end_s, "step": _STEP_S}
        path = "query" if is_instant else "query_range"
        answer = self._session.post(f"{self._url}/api/v1/{path}", data={"query": expr, **when}, timeout=60)
        document: dict[str, Any] = answer.json()
        if document["status"] != "success":
            raise ValueError(document.get("error", answer.text))
        return [entry["metric"] for entry in document["data"]["result"]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a panel showed.

    Attributes:
        panel: which.
        counts: of each of its queries, how many series or streams it has.
        problem: why it is broken; empty when it is not.
    """

    panel: ReadPanel
    counts: tuple[int, ...]
    problem: str = ""

    @property
    def is_filled(self) -> bool:
        """Whether every query that must has data; of a bar gauge one of them, since each bar is its own."""
        is_whole = self.panel.kind == "bargauge" or all(query.may_be_empty for query in self._lacking)
        return not self.problem and any(self.counts) and is_whole

    @property
    def is_waiting(self) -> bool:
        """Whether there is nothing yet, and its description says why for each query."""
        return not self.problem and not any(self.counts) and all(query.may_be_empty for query in self._lacking)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why those of its queries are empty that may be."""
        return tuple(dict.fromkeys(query.may_be_empty for query in self._lacking if query.may_be_empty))

    @property
    def _lacking(self) -> list[ReadQuery]:
        return [query for query, count in zip(self.panel.queries, self.counts, strict=True) if not count]


@dataclass(frozen=True, slots=True)
class Servers:
    """Where to ask, about when."""

    loki: LokiClient
    prometheus: Prometheus
    start_ns: int
    end_ns: int


def ask(
    panels: Iterable[ReadPanel], servers: Servers, rules: Mapping[str, str], choices: Mapping[str, str]
) -> Iterator[Answer]:
    """Run every panel's queries.

    Args:
        panels: which.
        servers: where, and the span of time that the dashboards are opened with.
        rules: recorded series -> LogQL that Loki's ruler records it from.
        choices: values of variables; one that is not named is everything.

    An empty panel is broken when Loki computes from its lines what the ruler should have recorded and Prometheus does
    not have it; otherwise there was nothing to show.
    """
    seconds = max((servers.end_ns - servers.start_ns) // 1_000_000_000, 1)
    own = {"__range": f"{seconds}s", "__range_s": str(seconds), "__interval": "60s", "__rate_interval": "60s"}
    values = defaultdict(lambda: _EVERYTHING, {**own, **choices})
    for panel in panels:
        counts = []
        problem = ""
        for query in panel.queries:
            try:
                labels = _labels_of(filled_in(query.expr, values), query, panel, servers)
            except (LokiError, ValueError) as error:
                problem = problem or str(error)
                labels = []
            counts.append(len(labels))
            # One line without it is right: a query outside a request has no route.
            missing = {name for name in labels_in(query.legend) if all(name not in found for found in labels)}
            if labels and missing:
                problem = problem or f"no label {', '.join(sorted(missing))} in the answer to {query.expr}"
        if not problem and not all(counts):
            problem = _not_recorded(panel, servers, rules)
        yield Answer(panel, tuple(counts), problem)


def _labels_of(expr: str, query: ReadQuery, panel: ReadPanel, servers: Servers) -> list[dict[str, str]]:
    if query.kind == "prometheus":
        return servers.prometheus.series(expr, is_instant=query.is_instant)
    if query.is_instant:
        result = servers.loki.query(expr, servers.end_ns)
        return [dict(sample.labels) for sample in result.samples] if isinstance(result, Vector) else []
    limit = _MOST_LINES if panel.kind == "logs" else None
    found = servers.loki.query_range(expr, servers.start_ns, servers.end_ns, _STEP_S, limit)
    if isinstance(found, Matrix):
        return [dict(series.labels) for series in found.series]
    # What a query takes out of its lines is with each entry.
    return [{**stream.labels, **entry.parsed} for stream in found.streams for entry in stream.entries[:1]]


def _not_recorded(panel: ReadPanel, servers: Servers, rules: Mapping[str, str]) -> str:
    """A sentence about a series that Loki computes from the stored lines and Prometheus does not have."""
    names = {name for query in panel.queries if query.kind == "prometheus" for name in SERIES.findall(query.expr)}
    for name in sorted(names & set(rules)):
        if servers.prometheus.series(name, is_instant=False):
            continue
        end_ns = servers.end_ns - RECORDED_WITHIN_S * 1_000_000_000
        if end_ns <= servers.start_ns:
            continue
        computed = servers.loki.query_range(rules[name], servers.start_ns, end_ns, 60.0)
        if isinstance(computed, Matrix) and computed.series:
            return f"{name} can be computed from the stored lines, and is not in Prometheus"
    return ""
