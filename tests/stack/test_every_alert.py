"""Every alert of loki/rules and loki/prometheus_rules on its way from Alertmanager to who is told of it, and its end too.

In: labels and texts as the rules themselves make them: of Loki's from the lines of their tests, by its own ruler; of Prometheus's by
promtool. Out: what a webhook, a chat, a mailbox and the dead man's switch received. Never: an alert made by hand, or a list of them.

Each alert is about a service and a Google project of its own, which the lines say: so none silences another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.rules_test.alerting import Point, active_alerts
from logging_pkg.pipeline.rules_test.evaluate import alert_steps
from logging_pkg.pipeline.rules_test.labels import alert_labels
from logging_pkg.pipeline.rules_test.model import EventLine, RawLine, Rule
from logging_pkg.pipeline.rules_test.parse import find_test_files, read_tests
from logging_pkg.pipeline.rules_test.rendering import Instance, render
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.run import store_all
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki
from logging_pkg.stack import DeadMansSwitch
from tests.pipeline.alert_links import linked, opened
from tests.pipeline.events import REGISTRY
from tests.pipeline.onsets import H, Texts
from tests.pipeline.troubles import RUNS

from .conftest import eventually
from .delivering import Delivery, delivering

ROOT = Path(__file__).resolve().parents[2]
LOKI = ROOT / "loki"
OF_LOKI, OF_PROMETHEUS = (
    [rule for path in sorted((LOKI / folder).glob("*.y*ml")) for rule in read_rules(path, path.name) if rule.is_alert]
    for folder in ("rules", "prometheus_rules")
)
RULES = {rule.name: rule for rule in (*OF_LOKI, *OF_PROMETHEUS)}
SIGN_OF_LIFE = "PipelineAlive"

pytestmark = pytest.mark.timeout(300)


def of_loki() -> dict[str, Texts]:
    """Each alert of Loki as it fires in the first of its tests that has it fire."""
    tests = [test for path in find_test_files([LOKI / "tests"]) for test in read_tests(path, REGISTRY)]
    chosen = {}
    for rule in OF_LOKI:
        test = next(test for test in tests if any(is_firing(check, rule) for check in test.alerts))
        checks = tuple(check for check in test.alerts if is_firing(check, rule))[:1]
        lines = [own(line, rule.name.lower()) for line in test.lines]
        chosen[rule.name] = replace(test, name=rule.name, lines=lines, alerts=checks, samples=())
    found = {}
    with ThrowawayLoki(REGISTRY) as loki:
        stored, failed = store_all(loki, list(chosen.values()), 2)
        assert failed == []
        instances = {}
        for one in stored:
            (check,) = one.test.alerts
            rule = RULES[check.alertname]
            interval_ns = one.test.interval_ns(rule)
            steps = alert_steps(loki.client(one.tenant), rule, one.base_ns, interval_ns, check.eval_ns)
            points = [[Point(s, value, alert_labels(s, rule.labels)) for s, value in step] for step in steps]
            firing = [alert for alert in active_alerts(points, interval_ns, rule.for_ns).values() if alert.is_firing]
            instances[rule.name] = Instance.of(rule, firing[0].point.series, firing[0].point.value)
        rendered = render(loki, instances.values())
        for name, instance in instances.items():
            texts = rendered[instance]
            found[name] = Texts({"alertname": name, **texts.labels}, dict(texts.annotations))
    return found


def is_firing(check: Any, rule: Rule) -> bool:
    return check.alertname == rule.name and bool(check.firing)


def own(line: EventLine | RawLine, name: str) -> EventLine | RawLine:
    """The line, of another service and another project of Google's."""
    assert isinstance(line, EventLine)
    changed = {"service_name": name} | ({"project": name} if "project" in line.fields else {})
    return replace(line, fields={**line.fields, **changed})


def of_prometheus(folder: Path) -> dict[str, Texts]:
    """Each alert of Prometheus as it fires in a run of the rules; tickets without the days they would take."""
    runs = {**RUNS, "tickets": replace(RUNS["tickets"], before_min=H, after_min=4 * H)}
    return {name: texts for run in runs.values() for name, texts in run.answer(folder).texts.items()}


@dataclass
class Sent:
    """What was posted, and who gets it."""

    delivery: Delivery
    switch: DeadMansSwitch
    texts: dict[str, Texts]
    said: dict[str, dict[str, Any]]

    def names(self, *severities: str) -> list[str]:
        return [name for name, rule in RULES.items() if rule.labels["severity"] in severities and name != SIGN_OF_LIFE]

    def about(self, name: str, status: str = "firing") -> dict[str, Any]:
        """What the webhook got."""
        found = self.delivery.webhook.wait_for(
            lambda alert: (alert["labels"]["alertname"], alert["status"]) == (name, status), 150
        )
        assert found is not None, f"{name} was not delivered as {status}"
        return found[1]

    def in_chat(self, name: str, status: str = "FIRING:1") -> str:
        """The message in the chat."""
        wanted = re.compile(rf"\[{status}\] {name}\b")
        return str(
            eventually(
                lambda: next(
                    (
                        one["text"]
                        for message in self.delivery.chat.messages
                        for one in message["attachments"]
                        if wanted.match(one["title"])
                    ),
                    None,
                ),
                30,
            )
        )

    def in_mail(self, name: str, status: str = "FIRING:1") -> str:
        """The plain text of the mail."""
        wanted = re.compile(rf"\[{status}\] {name}\b")
        mail: Any = eventually(
            lambda: next((mail for _, mail in self.delivery.mail.mails if wanted.match(str(mail["Subject"]))), None), 30
        )
        return str(mail.get_body(("plain",)).get_content())


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, stack_binaries: object) -> Iterator[Sent]:
    """All of them, posted at once as rulers do, as of now and for the next minutes."""
    texts = {**of_loki(), **of_prometheus(tmp_path_factory.mktemp("onsets"))}
    switch = DeadMansSwitch()
    with delivering(LOKI, tmp_path_factory.mktemp("alerts"), "mail-password", switch) as delivery:
        now = datetime.now(UTC)
        said = {
            name: {
                "labels": one.labels,
                "annotations": one.annotations,
                "startsAt": now.isoformat(),
                "endsAt": (now + timedelta(minutes=10)).isoformat(),
                "generatorURL": f"http://127.0.0.1:3000/explore?rule={name}",
            }
            for name, one in texts.items()
        }
        delivery.post(*said.values())
        yield Sent(delivery, switch, texts, said)


def test_every_alert_arrives_as_its_rule_makes_it(sent: Sent) -> None:
    """None is missing, none was added; labels and texts are those of the rule, whole, and lead on."""
    assert set(sent.texts) == set(RULES)
    for name in sent.names("critical", "warning", "info"):
        received = sent.about(name)
        assert received["labels"] == sent.texts[name].labels
        assert received["labels"]["severity"] == RULES[name].labels["severity"]
        annotations = {key: value for key, value in received["annotations"].items() if key != "correlation_ids"}
        assert annotations == sent.texts[name].annotations
        assert set(annotations) == set(RULES[name].annotations)
        for text in annotations.values():
            assert text, name
            assert not re.search(r"\{\{|\}\}|<no value>|%!|<error", text), (name, text)
        assert annotations["runbook_url"] == f"docs/runbooks/{name}.md"
        assert (ROOT / annotations["runbook_url"]).is_file()
        _uid, panel, chosen = opened(annotations["dashboard_url"])
        assert panel["title"]
        labels = sent.texts[name].labels
        assert {key: value for key, value in chosen.items() if labels.get(key, value) != value} == {}
        parse(linked(annotations["logs_url"]))
    assert sent.delivery.names() == set(RULES) - {SIGN_OF_LIFE}


def test_severity_decides_who_is_told(sent: Sent) -> None:
    """Critical ones are mailed and said in the chat, warnings said in the chat, notes neither; each with all that leads on."""
    for name in sent.names("critical", "warning"):
        annotations = sent.about(name)["annotations"]
        text = sent.in_chat(name)
        for part in ("summary", "description", "runbook_url", "logs_url", "dashboard_url"):
            assert annotations[part] in text, (name, part)
    for name in sent.names("critical"):
        annotations = sent.about(name)["annotations"]
        text = sent.in_mail(name)
        for part in ("summary", "description", "runbook_url", "logs_url", "dashboard_url"):
            assert annotations[part] in text, (name, part)
    titles = [one["title"] for message in sent.delivery.chat.messages for one in message["attachments"]]
    assert {title.split()[1] for title in titles} == set(sent.names("critical", "warning"))
    assert {str(mail["Subject"]).split()[1] for _, mail in sent.delivery.mail.mails} == set(sent.names("critical"))


def test_the_sign_of_life_goes_to_the_switch_alone(sent: Sent) -> None:
    """PipelineAlive, which always fires."""
    eventually(lambda: sent.switch.beats, 30)
    assert SIGN_OF_LIFE not in sent.delivery.names()


@pytest.mark.parametrize(
    "severities",
    # A group that was told of is told of again after group_interval: a minute for critical ones, two for all others.
    [("critical",), pytest.param(("warning", "info"), marks=pytest.mark.long)],
    ids=["critical", "others"],
)
def test_the_end_of_every_alert_is_told_to_the_same(sent: Sent, severities: tuple[str, ...]) -> None:
    """As over, with the labels it had."""
    names = sent.names(*severities)
    for name in names:
        sent.about(name)
    over = (datetime.now(UTC) - timedelta(seconds=1)).isoformat()
    sent.delivery.post(*({**sent.said[name], "endsAt": over} for name in names))
    for name in names:
        assert sent.about(name, "resolved")["labels"] == sent.texts[name].labels
        if RULES[name].labels["severity"] != "info":
            assert f"{sent.texts[name].annotations['summary']}* – over" in sent.in_chat(name, "RESOLVED")
        if severities == ("critical",):
            assert f"{sent.texts[name].annotations['summary']} – over" in sent.in_mail(name, "RESOLVED")
