"""One alert, told from its rule file to the lines behind it.

In: a directory with loki/ and docs/runbooks, or the package's own; clients. Out: rules with their places, queries,
lines. Never: a rule that is not in a file.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logging_pkg.analysis.alerts import KnownAlert
from logging_pkg.loki_client import Entry, LokiClient, Streams, Vector, VectorSample
from logging_pkg.pipeline.dashboards.rule_book import Limit, compared_in_promql, limit_of
from logging_pkg.pipeline.rules_test.expression import comparisons_of
from logging_pkg.pipeline.rules_test.model import Rule
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.prometheus_client import PrometheusClient
from logging_pkg.stack.enricher import query_of
from logging_pkg.stack.runner import default_config_directory

#: Where each server's rules are, below the directory of loki.yaml.
_DIRECTORIES: Final[Mapping[str, str]] = {"Loki": "rules", "Prometheus": "prometheus_rules"}
#: A LogQL query as a format string inside a template: printf `{event="…", env=%q} | …` $labels.env
_TEMPLATE_QUERY: Final = re.compile(r"`(\{(?!\")[^`]*)`")
_TEMPLATE_SINCE: Final = re.compile(r'"from":"now-(\d+)([smhd])"')
_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True)
class AlertRule:
    """An alert's rule; `server` evaluates it, in LogQL or PromQL. `directory` holds loki.yaml."""

    rule: Rule
    server: str
    directory: Path

    @property
    def limit(self) -> Limit | None:
        """What its value is compared with; None where there is no such number."""
        return limit_of(self.rule.expr)

    @property
    def compared_query(self) -> str | None:
        """What is compared with the limit; None where that cannot be told."""
        limit = self.limit
        if limit is None:
            return None
        if self.server == "Loki":
            comparisons = (c for c in comparisons_of(self.rule.expr) if c.op == limit.op and _is(c.right_shown, limit))
            return next((comparison.left for comparison in comparisons), None)
        compared = compared_in_promql(self.rule.expr)
        return compared.left if compared else None

    @property
    def has_more_conditions(self) -> bool:
        """Whether Prometheus compares something else as well, so that the value alone does not tell that it fires."""
        compared = compared_in_promql(self.rule.expr) if self.server == "Prometheus" else None
        return compared is not None and not compared.is_all

    @property
    def value_query(self) -> str:
        """What is compared with the limit, else the whole expression."""
        return self.compared_query or self.rule.expr

    @property
    def lines_query(self) -> tuple[str, int] | None:
        """The LogQL of its link to the lines, for any labels, and its range, s; None where it has none."""
        template = self.rule.annotations.get("logs_url", "")
        queries, since = _TEMPLATE_QUERY.findall(template), _TEMPLATE_SINCE.search(template)
        if not queries or since is None:
            return None
        return _any_labels(queries[-1]), int(since[1]) * _UNITS_S[since[2]]

    def runbook(self) -> str | None:
        """The text of its runbook; None where there is none."""
        place = self.rule.annotations.get("runbook_url", "")
        name = Path(place).name or f"{self.rule.name}.md"
        # Beside a project's loki/, or as the wheel has them.
        homes = (self.directory.parent, self.directory.parent / "project")
        found = (home / "docs/runbooks" / name for home in homes)
        return next((path.read_text(encoding="utf-8") for path in found if path.is_file()), None)


def alert_rules(config: Path | None = None) -> list[AlertRule]:
    """Every alert rule of a project, else of the package.

    Args:
        config: the directory of rules/ and prometheus_rules/; by default ./loki, else the package's own.

    Raises:
        RuleError: a rule file is broken.
    """
    config = config or rules_home()
    found = []
    for server, name in _DIRECTORIES.items():
        for path in sorted((config / name).glob("*.y*ml")):
            shown = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
            found += [AlertRule(rule, server, config) for rule in read_rules(path, shown) if rule.is_alert]
    return found


def rules_home() -> Path:
    """The directory of rules/, prometheus_rules/ and slos.yaml: ./loki where it has rules, else the package's own."""
    here = Path.cwd() / "loki"
    return here if (here / "rules").is_dir() else default_config_directory()


def values_now(
    found: AlertRule, loki: LokiClient | None, prometheus: PrometheusClient | None
) -> Sequence[VectorSample] | None:
    """What is compared with the limit, now, largest first; None where its server was not named."""
    answer: object = None
    if found.server == "Loki" and loki is not None:
        answer = loki.query(found.value_query)
    elif found.server == "Prometheus" and prometheus is not None:
        answer = prometheus.query(found.value_query)
    if not isinstance(answer, Vector):
        return None
    return sorted(answer.samples, key=lambda sample: -sample.value)


def lines_behind(
    found: AlertRule, alerts: Sequence[KnownAlert], loki: LokiClient, limit: int
) -> tuple[str, int, Sequence[Entry]] | None:
    """The query of an alert's link, its range, s, and the newest lines of it, newest first.

    Of an alert that fires or is pending the very query it links to, else that of the rule for all its label sets.
    """
    links = (query_of({"annotations": {"logs_url": alert.logs}}) for alert in alerts)
    linked = next((link for link in links if link is not None), found.lines_query)
    if linked is None:
        return None
    query, seconds = linked
    now_ns = time.time_ns()
    answer = loki.query_range(query, now_ns - seconds * 10**9, now_ns, limit=limit, direction="backward")
    assert isinstance(answer, Streams)
    return query, seconds, tuple(reversed(answer.entries))


def _any_labels(template: str) -> str:
    return re.sub(r"=\s*%q", '=~".*"', template)


def _is(text: str, limit: Limit) -> bool:
    try:
        return float(text) == limit.value
    except ValueError:
        return False
