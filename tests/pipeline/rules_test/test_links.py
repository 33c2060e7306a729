"""The links of an alert lead to what it is about and to nothing else: lines and panels, of Loki's rules and of Prometheus's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from logging_pkg.loki_client import Streams
from logging_pkg.pipeline.rules_test.evaluate import at
from logging_pkg.pipeline.rules_test.model import RuleTest
from logging_pkg.pipeline.rules_test.promtool import FOLDER
from logging_pkg.pipeline.rules_test.rendering import Instance, render
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.run import store_all
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki
from tests.pipeline.alert_links import linked, opened
from tests.pipeline.dashboards.documents import DOCUMENTS
from tests.pipeline.rules_test.files import REGISTRY
from tests.pipeline.rules_test.link_cases import ELSEWHERE, HEALTHY, Case, prometheus_cases
from tests.pipeline.rules_test.test_project_suite import PROJECT, RULES, TESTS

ALERTS = {rule.name: rule for rule in RULES if rule.is_alert}
PROMETHEUS_ALERTS = {
    rule.name: rule
    for path in sorted((PROJECT / "loki/prometheus_rules").iterdir())
    for rule in read_rules(path, path.name)
    if rule.is_alert
}
#: Their links show what all lines tell over time (a level, a sum), since no line is the reason by itself.
SHOWS_ALL = frozenset({
    "AppDown", "CacheHitRatioDropped", "DatabaseFillsUp", "DiskFillsUp", "DiskFullInDays", "EventsRejected",
    "FileDescriptorsNearLimit", "GoogleLatencyRegressed", "GoogleQuotaDay80", "GoogleQuotaDay95", "GoogleQuotaDayRunsOut",
    "GoogleQuotaMinute80", "GoogleQuotaMinute95", "GoogleUserQuotaMinute80", "MemoryNearLimit", "MemoryRunsOut",
    "NPlusOneFound", "PipelineAlive", "RouteCacheHitRatioDropped", "RouteLatencyRegressed", "RouteQueriesRegressed",
    "ShipperBehind", "SlowQueries", "TooManyQueries", "WorkersSaturated",
})  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a link's query finds: correlation_ids, and how many lines are the alert's reasons."""

    marks: set[str]
    dashboard_url: str
    labels: Mapping[str, str]


@pytest.fixture(scope="module")
def found(stack_binaries: object) -> dict[str, Found]:
    """Every alert's links, rendered; its lines stored with good ones among them, and asked for."""
    with ThrowawayLoki(REGISTRY) as loki:
        first = {}
        for test in TESTS:
            for check in test.alerts:
                if check.firing:
                    first.setdefault(check.alertname, (test, check))
        stored, failed = store_all(loki, [test for test, _check in first.values()], 4)
        assert failed == []
        instances = {}
        for (name, (_test, check)), one in zip(first.items(), stored, strict=True):
            series = at(loki.client(one.tenant), ALERTS[name].expr, one.base_ns + check.eval_ns)
            instances[name] = Instance.of(ALERTS[name], *series[0])
        rendered = render(loki, list(instances.values()))
        cases = []
        for name, instance in instances.items():
            test, check = first[name]
            query = linked(rendered[instance].annotations["logs_url"])
            cases.append(Case(name, dict(instance.series), query, tuple(test.lines), check.eval_ns))
        cases += prometheus_cases(sorted((PROJECT / "loki" / FOLDER).glob("*_test.yaml")))
        tests = [RuleTest(case.name, "", 0, case.lines, (), (), {}, 60_000_000_000) for case in cases]
        stored, failed = store_all(loki, tests, 4)
        assert failed == []
        answers = {}
        for case, one in zip(cases, stored, strict=True):
            until_ns = one.base_ns + case.at_ns + 1
            lines = loki.client(one.tenant).query_range(case.query, until_ns - 3600 * 10**9, until_ns, limit=5000)
            assert isinstance(lines, Streams)
            marks = {json.loads(entry.line)["correlation_id"] for entry in lines.entries}
            instance = instances.get(case.name)
            url = rendered[instance].annotations["dashboard_url"] if instance else ""
            answers[case.name] = Found(marks, url, case.labels)
        return answers


def test_every_alert_is_looked_at(found: dict[str, Found]) -> None:
    """Of both kinds of rules."""
    assert set(found) == ALERTS.keys() | PROMETHEUS_ALERTS.keys()


@pytest.mark.parametrize("name", [*ALERTS, *PROMETHEUS_ALERTS])
def test_a_link_leads_to_the_lines_behind_its_alert_and_to_no_other(name: str, found: dict[str, Found]) -> None:
    """Its reasons; not the same of another route, project or service; and, where a line can be good, no good one."""
    marks = found[name].marks
    assert marks - {HEALTHY, ELSEWHERE}
    assert ELSEWHERE not in marks
    assert (HEALTHY in marks) == (name in SHOWS_ALL)


@pytest.mark.parametrize("name", ALERTS)
def test_a_link_opens_the_panel_about_its_alert(name: str, found: dict[str, Found]) -> None:
    """Which has a link to its runbook; the dashboard chooses each of its labels that there is a choice for, and nothing else."""
    uid, panel, chosen = opened(found[name].dashboard_url)
    assert f"Runbook: {name}" in [link["title"] for link in panel["links"]], f"{name}: {panel['title']} of {uid}"
    choices = {entry["name"] for entry in DOCUMENTS[uid]["templating"]["list"]}
    # The one variable that is not named as the label is.
    labels = {"account" if label == "account_hash" else label: value for label, value in found[name].labels.items()}
    assert chosen == {label: value for label, value in labels.items() if label in choices}
