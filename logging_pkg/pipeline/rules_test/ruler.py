"""Have the ruler of the throwaway Loki load rules.

In: rules. Out: the groups as the ruler has loaded them, or its refusal. Never: a half-written file; the ruler reads its
directory several times a second, and one file it cannot read keeps all rules from loading.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import yaml

from logging_pkg.exceptions import RuleError, StackError
from logging_pkg.loki_client import RuleGroup
from logging_pkg.pipeline.rules_test.model import Rule
from logging_pkg.pipeline.rules_test.throwaway import ThrowawayLoki

T = TypeVar("T")

#: A rule as a rule file has it.
RuleDocument = dict[str, Any]

_TIMEOUT_S = 30.0
_POLL_S = 0.05
#: A line of Loki's log, whose last part is quoted: err="… error parsing DIRECTORY/TENANT/7.yaml: what is wrong".
_REFUSAL = r'unable to list rules.*/{tenant}/(?P<number>\d+)\.yaml: (?P<reason>(?:[^"\\]|\\.)*)"'


class RefusedRulesError(RuleError):
    """The ruler does not load a group; `number` says which."""

    def __init__(self, number: int, reason: str) -> None:
        self.number = number
        super().__init__(reason)


def check_rules(loki: ThrowawayLoki, rules: Sequence[Rule]) -> None:
    """Have the ruler load rules as they are.

    Raises:
        RuleError: it does not take one, for its expression or a template. Of a file with that it would load nothing.
    """
    groups = [[document_of(rule, rule.name, rule.expr)] for rule in rules]
    if not groups:
        return
    try:
        loaded(loki, groups, "1h", lambda found: len(found) == len(groups) or None)
    except RefusedRulesError as error:
        raise RuleError(f"{rules[error.number].place}: Loki loads no file with this: {error}") from None


def document_of(rule: Rule, name: str, expr: str) -> RuleDocument:
    """A rule with its labels and annotations, under a name and with an expression."""
    kind = {"alert": name, "annotations": dict(rule.annotations)} if rule.is_alert else {"record": name}
    return {**kind, "expr": expr, "labels": dict(rule.labels)}


def loaded(
    loki: ThrowawayLoki,
    groups: Sequence[Sequence[RuleDocument]],
    interval: str,
    ready: Callable[[list[RuleGroup]], T | None],
) -> T:
    """Give the ruler groups of rules; return what `ready` makes of them once it makes something of them.

    They are taken away again: at each look into its directory the ruler parses all it finds there.

    Raises:
        RefusedRulesError: the ruler does not take a group.
        StackError: it does not get there in time.
    """
    tenant = loki.new_tenant("rules")
    target = loki.rules_directory / tenant
    # Below its name only when it is whole, and only as long as it is.
    aside = loki.rules_directory.with_name(f"{tenant}.aside")
    aside.mkdir()
    for number, rules in enumerate(groups):
        document = {"groups": [{"name": f"g{number}", "interval": interval, "rules": list(rules)}]}
        text = yaml.safe_dump(document, allow_unicode=True, width=1_000_000)
        (aside / f"{number}.yaml").write_text(text, encoding="utf-8")
    os.replace(aside, target)
    try:
        return _wait_for(loki, tenant, ready)
    finally:
        os.replace(target, aside)
        shutil.rmtree(aside)


def _wait_for(loki: ThrowawayLoki, tenant: str, ready: Callable[[list[RuleGroup]], T | None]) -> T:
    client = loki.client(tenant)
    refusal = re.compile(_REFUSAL.replace("{tenant}", tenant))
    end = time.monotonic() + _TIMEOUT_S
    while time.monotonic() < end:
        found = ready(client.rules())
        if found is not None:
            return found
        if match := refusal.search(loki.last_log_line("unable to list rules") or ""):
            reason = re.sub(r"\\(.)", r"\1", match["reason"])
            raise RefusedRulesError(int(match["number"]), re.sub(r"__alert_\w+:", "line ", reason))
        time.sleep(_POLL_S)
    raise StackError(f"Loki's ruler has not loaded and evaluated its rules after {_TIMEOUT_S:g} s")
