"""Labels and annotations of alerts, rendered by Loki's own ruler.

In: alert rules, and series with values they met. Out: the texts the ruler makes of their templates. Never: a template
engine of our own, which would be wrong where it differs.

The ruler evaluates at the present only, so it gets a rule per series whose expression is that very series: labels by
label_replace, the value as a number.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from logging_pkg.exceptions import RuleError, StackError
from logging_pkg.loki_client import RuleGroup
from logging_pkg.pipeline.rules_test.alerting import LabelKey, key_of
from logging_pkg.pipeline.rules_test.model import Labels, Rule
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki

_TIMEOUT_S = 30.0
#: Rules of a group are evaluated one after the other, groups side by side.
_GROUP_SIZE = 25


@dataclass(frozen=True)
class Instance:
    """A rule and a series that made its expression true. (A rule is told by file and line.)"""

    rule: Rule
    series: LabelKey
    value: float

    @property
    def key(self) -> tuple[str, int, str, LabelKey, str]:
        """What tells it from others; NaN, too, is equal to itself here."""
        return self.rule.file, self.rule.line, self.rule.name, self.series, repr(self.value)

    @classmethod
    def of(cls, rule: Rule, series: Labels, value: float) -> Instance:
        """For a series as Loki gave it."""
        return cls(rule, key_of(series), value)


@dataclass(frozen=True)
class Texts:
    """What the ruler makes of a rule's templates."""

    labels: Labels
    annotations: Labels


class Rendered:
    """Texts by instance."""

    def __init__(self, texts: Mapping[tuple[str, int, str, LabelKey, str], Texts]) -> None:
        self._texts = texts

    def __getitem__(self, instance: Instance) -> Texts:
        return self._texts[instance.key]


def render(loki: ThrowawayLoki, instances: Iterable[Instance]) -> Rendered:
    """Have the ruler render each instance. It takes a second: call it with all there are.

    Raises:
        RuleError: the ruler does not take a template. It would load no rule at all with it.
        StackError: the ruler does not answer in time.
    """
    wanted = {instance.key: instance for instance in instances}
    if not wanted:
        return Rendered({})
    rules = [_rule(number, instance) for number, instance in enumerate(wanted.values())]
    parts = [rules[start : start + _GROUP_SIZE] for start in range(0, len(rules), _GROUP_SIZE)]
    groups = [{"name": f"g{number}", "interval": "1s", "rules": part} for number, part in enumerate(parts)]
    tenant = loki.new_tenant("rendering")
    _write(loki.rules_directory / tenant / "rules.yaml", {"groups": groups})
    texts = _await(loki, tenant, list(wanted.values()))
    return Rendered(dict(zip(wanted, texts, strict=True)))


def expression_of(series: LabelKey, value: float) -> str:
    """A LogQL expression that is one series with these labels and this value.

    The number stands outside of vector(), which Loki writes down with six digits before it evaluates it.
    """
    if math.isnan(value):
        expression = "vector(0) / vector(0)"
    elif math.isinf(value):
        expression = f"vector(1) * 1e308 * {'-' if value < 0 else ''}1e308"
    else:
        expression = f"vector(1) * {value!r}"
    for name, text in series:
        # The replacement is a template of a regular expression, where a dollar is written twice.
        replacement = json.dumps(text.replace("$", "$$"), ensure_ascii=False)
        expression = f'label_replace({expression}, "{name}", {replacement}, "", "")'
    return expression


def _rule(number: int, instance: Instance) -> dict[str, object]:
    return {
        "alert": f"i{number}",
        "expr": expression_of(instance.series, instance.value),
        "labels": dict(instance.rule.labels),
        "annotations": dict(instance.rule.annotations),
    }


def _write(path: Path, document: dict[str, object]) -> None:
    """At once: the ruler reads the directory several times a second."""
    partial = path.parent.parent.with_suffix(".partial")
    partial.write_text(yaml.safe_dump(document, allow_unicode=True, width=1_000_000), encoding="utf-8")
    path.parent.mkdir(exist_ok=True)
    os.replace(partial, path)


def _await(loki: ThrowawayLoki, tenant: str, instances: list[Instance]) -> list[Texts]:
    end = time.monotonic() + _TIMEOUT_S
    client = loki.client(tenant)
    while time.monotonic() < end:
        found = dict(_texts(client.rules(), instances))
        if len(found) == len(instances):
            return [found[number] for number in range(len(instances))]
        if line := loki.last_log_line("unable to list rules"):
            raise _refusal(line, instances)
        time.sleep(0.05)
    raise StackError(f"Loki's ruler has not rendered {len(instances)} alerts after {_TIMEOUT_S:g} s")


def _texts(groups: list[RuleGroup], instances: list[Instance]) -> Iterator[tuple[int, Texts]]:
    for group in groups:
        for rule in group.rules:
            number = int(rule.name[1:])
            if rule.health == "err":
                raise RuleError(f"{_place(instances[number])}: Loki's ruler cannot evaluate it: {rule.last_error}")
            for alert in rule.alerts:
                labels = {name: value for name, value in alert.labels.items() if name != "alertname"}
                yield number, Texts(labels, alert.annotations)


def _refusal(line: str, instances: list[Instance]) -> RuleError:
    """Loki's words, with the place of the rule in place of the file it was given."""
    match = re.search(r"__alert_i(\d+)", line)
    number = int(match[1]) if match else 0
    reason = line.rpartition("rules.yaml: ")[2].replace('\\"', '"').strip('" \n')
    reason = re.sub(r"__alert_i\d+:", "line ", reason)
    return RuleError(f"{_place(instances[number])}: Loki loads no rule of a file with this: {reason}")


def _place(instance: Instance) -> str:
    return f"{instance.rule.file}:{instance.rule.line}: {instance.rule.name}"
