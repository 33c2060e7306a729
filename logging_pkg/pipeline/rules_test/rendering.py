"""Labels and annotations of alerts, rendered by Loki's own ruler.

In: alert rules, and series with values they met. Out: the texts the ruler makes of their templates. Never: a template
engine of our own, which would be wrong where it differs.

The ruler evaluates at the present only, so it gets a rule per series whose expression is that very series: labels by
label_replace, the value as a number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from logging_pkg.exceptions import RuleError
from logging_pkg.loki_client import RuleGroup
from logging_pkg.pipeline.rules_test.labels import LabelKey, Labels, key_of
from logging_pkg.pipeline.rules_test.model import Rule
from logging_pkg.pipeline.rules_test.ruler import document_of, loaded
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki

#: Rules of a group are evaluated one after the other, groups side by side.
_GROUP_SIZE = 25

InstanceKey = tuple[str, int, str, LabelKey, str]


@dataclass(frozen=True)
class Instance:
    """A rule and a series that made its expression true."""

    rule: Rule
    series: LabelKey
    value: float

    @property
    def key(self) -> InstanceKey:
        """What tells it from others: the rule's place, the series, the value (NaN, too, is equal to itself here)."""
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

    def __init__(self, texts: Mapping[InstanceKey, Texts]) -> None:
        self._texts = texts

    def __getitem__(self, instance: Instance) -> Texts:
        return self._texts[instance.key]


def render(loki: ThrowawayLoki, instances: Iterable[Instance]) -> Rendered:
    """Have the ruler render each instance. It takes a second: call it with all there are.

    Raises:
        RuleError: the ruler does not take a template, or cannot evaluate a rule.
        StackError: the ruler does not answer in time.
    """
    wanted = {instance.key: instance for instance in instances}
    if not wanted:
        return Rendered({})
    rules = [
        document_of(instance.rule, f"i{number}", expression_of(instance.series, instance.value))
        for number, instance in enumerate(wanted.values())
    ]
    groups = [rules[start : start + _GROUP_SIZE] for start in range(0, len(rules), _GROUP_SIZE)]

    def all_of_them(loaded: list[RuleGroup]) -> dict[int, Texts] | None:
        found = dict(_texts(loaded, list(wanted.values())))
        return found if len(found) == len(wanted) else None

    texts = loaded(loki, groups, "1s", all_of_them)
    return Rendered({key: texts[number] for number, key in enumerate(wanted)})


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


def _texts(groups: list[RuleGroup], instances: list[Instance]) -> Iterator[tuple[int, Texts]]:
    for group in groups:
        for rule in group.rules:
            number = int(rule.name[1:])
            if rule.health == "err":
                raise RuleError(f"{instances[number].rule.place}: Loki's ruler cannot evaluate it: {rule.last_error}")
            for alert in rule.alerts:
                labels = {name: value for name, value in alert.labels.items() if name != "alertname"}
                yield number, Texts(labels, alert.annotations)
