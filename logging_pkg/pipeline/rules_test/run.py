"""Run tests of rules.

In: RuleTests and a throwaway Loki. Out: one Outcome per expectation, in order. Never: prints.

Three steps, each over all tests side by side: store the lines; ask what every rule is at each of its evaluations; have
the ruler render what is compared. The rest is arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from logging_pkg.exceptions import LokiError, RuleError
from logging_pkg.pipeline.rules_test import evaluate
from logging_pkg.pipeline.rules_test.alerting import ActiveAlert, Point, active_alerts
from logging_pkg.pipeline.rules_test.compare import Difference, FoundAlert, compare_alerts, compare_samples
from logging_pkg.pipeline.rules_test.labels import Labels, alert_labels
from logging_pkg.pipeline.rules_test.model import AlertCheck, Rule, RuleTest, SampleCheck
from logging_pkg.pipeline.rules_test.parallel import in_parallel
from logging_pkg.pipeline.rules_test.rendering import Instance, Rendered, render
from logging_pkg.pipeline.rules_test.ruler import check_rules
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki


@dataclass(frozen=True)
class Outcome:
    """One expectation and what became of it.

    `error` tells why there is nothing to compare: Loki does not take the expression or a line.
    """

    stored: StoredTest | None
    test: RuleTest
    check: SampleCheck | AlertCheck
    firing: Difference = field(default_factory=lambda: Difference(()))
    pending: Difference = field(default_factory=lambda: Difference(()))
    error: str = ""

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.error and not self.firing.pairs and not self.pending.pairs


@dataclass(frozen=True)
class Evaluated:
    """An alert rule's evaluations in one test, as far as any of its expectations reaches."""

    rule: Rule
    interval_ns: int
    steps: Sequence[evaluate.Evaluation]

    def until(self, eval_ns: int) -> Sequence[evaluate.Evaluation]:
        """Those up to a time."""
        return self.steps[: eval_ns // self.interval_ns + 1]

    def instances(self, checks: Iterable[AlertCheck]) -> Iterator[Instance]:
        """What has to be rendered: all there is when labels are templates, else what annotations are compared of."""
        if self.rule.has_label_templates:
            yield from (Instance.of(self.rule, *found) for step in self.steps for found in step)
            return
        for check in checks:
            if any(alert.annotations for alert in (*check.firing, *(check.pending or ()))):
                yield from (Instance.of(self.rule, *found) for found in self.until(check.eval_ns)[-1])

    def active(self, eval_ns: int, rendered: Rendered | None) -> list[ActiveAlert]:
        """The alerts that are active at a time."""
        steps = [
            [Point(series, value, self._labels(series, value, rendered)) for series, value in step]
            for step in self.until(eval_ns)
        ]
        return list(active_alerts(steps, self.interval_ns, self.rule.for_ns).values())

    def _labels(self, series: Labels, value: float, rendered: Rendered | None) -> Labels:
        if self.rule.has_label_templates and rendered is not None:
            return rendered[Instance.of(self.rule, series, value)].labels
        return alert_labels(series, self.rule.labels)


def run_tests(loki: ThrowawayLoki, tests: Sequence[RuleTest], jobs: int) -> tuple[list[Outcome], list[StoredTest]]:
    """Run every test; also return what is stored, for questions about it.

    Raises:
        RuleError: Loki's ruler does not load a rule of the files under test.
        StackError: Loki does not do its part in time.
    """
    rules = {(rule.file, rule.line): rule for test in tests for found in test.rules.values() for rule in found}
    check_rules(loki, list(rules.values()))
    stored, outcomes = store_all(loki, tests, jobs)
    evaluated = in_parallel(lambda test: _evaluate(loki, test), stored, jobs)
    instances = [
        instance
        for test, by_name in zip(stored, evaluated, strict=True)
        for name, found in by_name.items()
        if not isinstance(found, str)
        for one in found
        for instance in one.instances(check for check in test.test.alerts if check.alertname == name)
    ]
    rendered = render(loki, instances)
    samples = in_parallel(lambda test: [_check_samples(loki, test, check) for check in test.test.samples], stored, jobs)
    for test, by_name, of_test in zip(stored, evaluated, samples, strict=True):
        outcomes += of_test
        outcomes += [check_alert(test, check, by_name[check.alertname], rendered) for check in test.test.alerts]
    order = {id(test): number for number, test in enumerate(tests)}
    return sorted(outcomes, key=lambda outcome: (order[id(outcome.test)], outcome.check.line)), stored


def store_all(loki: ThrowawayLoki, tests: Sequence[RuleTest], jobs: int) -> tuple[list[StoredTest], list[Outcome]]:
    """Store the lines of every test; what Loki does not take is the outcome of all of that test's expectations."""

    def store(test: RuleTest) -> StoredTest | str:
        try:
            return loki.store(test)
        except (LokiError, ValueError) as error:
            return f"Loki does not take the lines: {evaluate.refusal(error) if isinstance(error, LokiError) else error}"

    stored: list[StoredTest] = []
    outcomes: list[Outcome] = []
    for test, found in zip(tests, in_parallel(store, tests, jobs), strict=True):
        if isinstance(found, StoredTest):
            stored.append(found)
        else:
            outcomes += [Outcome(None, test, check, error=found) for check in test.checks]
    loki.make_visible(stored)
    return stored, outcomes


def evaluate_rule(loki: ThrowawayLoki, stored: StoredTest, rule: Rule, until_ns: int) -> Evaluated:
    """What a rule's expression is at each of its evaluations in a test."""
    interval_ns = stored.test.interval_ns(rule)
    steps = evaluate.alert_steps(loki.client(stored.tenant), rule, stored.base_ns, interval_ns, until_ns)
    return Evaluated(rule, interval_ns, steps)


def check_alert(
    stored: StoredTest,
    check: AlertCheck,
    evaluated: Sequence[Evaluated] | str,
    rendered: Rendered,
    *,
    with_annotations: bool = True,
) -> Outcome:
    """Compare the alerts of one name at one time."""
    if isinstance(evaluated, str):
        return Outcome(stored, stored.test, check, error=evaluated)
    firing: list[FoundAlert] = []
    pending: list[FoundAlert] = []
    annotated = with_annotations and any(a.annotations for a in (*check.firing, *(check.pending or ())))
    try:
        for one in evaluated:
            for alert in one.active(check.eval_ns, rendered):
                point = alert.point
                texts = None
                if annotated:
                    texts = rendered[Instance.of(one.rule, point.series, point.value)].annotations
                (firing if alert.is_firing else pending).append(FoundAlert(point.labels, point.value, texts))
    except RuleError as error:
        return Outcome(stored, stored.test, check, error=str(error))
    of_firing = compare_alerts(check.alertname, check.firing, firing)
    of_pending = Difference(()) if check.pending is None else compare_alerts(check.alertname, check.pending, pending)
    return Outcome(stored, stored.test, check, of_firing, of_pending)


def _evaluate(loki: ThrowawayLoki, stored: StoredTest) -> dict[str, list[Evaluated] | str]:
    """The evaluations of every alert rule the test looks at, or why there are none."""
    found: dict[str, list[Evaluated] | str] = {}
    for name in dict.fromkeys(check.alertname for check in stored.test.alerts):
        until_ns = max(check.eval_ns for check in stored.test.alerts if check.alertname == name)
        try:
            rules = [rule for rule in stored.test.rules[name] if rule.is_alert]
            found[name] = [evaluate_rule(loki, stored, rule, until_ns) for rule in rules]
        except RuleError as error:
            found[name] = str(error)
    return found


def _check_samples(loki: ThrowawayLoki, stored: StoredTest, check: SampleCheck) -> Outcome:
    try:
        found = evaluate.at(loki.client(stored.tenant), check.expr, stored.base_ns + check.eval_ns)
    except LokiError as error:
        return Outcome(stored, stored.test, check, error=f"Loki refuses the expression: {evaluate.refusal(error)}")
    series = [(evaluate.record_labels(labels, check.record), value) for labels, value in found]
    return Outcome(stored, stored.test, check, compare_samples(check.expected, series))
