"""Alerts of Prometheus with a limit that is slightly off, and whether any of promtool's tests notices.

In: PromtoolTests and the rule files they name. Out: Verdicts, as for Loki's rules. Never: a change to a file.

Changed by 1 % are the numbers that are compared, multiplied or divided by; and `for`, by one evaluation. Samples of
promtool's tests are any numbers, so counts are no exception.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml

from logging_pkg.pipeline.rules_test.model import Rule
from logging_pkg.pipeline.rules_test.mutate import Mutant, Verdict
from logging_pkg.pipeline.rules_test.parallel import in_parallel
from logging_pkg.pipeline.rules_test.parse import shown_path
from logging_pkg.pipeline.rules_test.promtool import PromtoolTest, run_changed
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.values import duration_text

#: PromQL as far as it matters here. A number is one where no other token takes it: not in a name, text or duration.
_TOKEN: Final = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`|\[[^\]]*\]|\{(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|[^}"'])*\})
    |(?P<duration>\d+(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*\b)
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<name>[A-Za-z_:][\w:]*)
    |(?P<op>==|!=|<=|>=|[-+*/%^<>@(),=])""",
    re.VERBOSE,
)
_OPERATORS: Final = frozenset({"==", "!=", "<=", ">=", "<", ">", "*", "/"})


def limits_of(expr: str) -> list[tuple[int, int, str]]:
    """Places of the numbers in PromQL that are compared, multiplied or divided by; with the operator beside each."""
    tokens: list[tuple[str, str, int, int]] = []
    position = 0
    while position < len(expr):
        match = _TOKEN.match(expr, position)
        if match is None:
            position += 1
            continue
        position = match.end()
        if match.lastgroup != "skip":
            tokens.append((str(match.lastgroup), match.group(), match.start(), match.end()))
    found = []
    for number, (kind, _text, start, end) in enumerate(tokens):
        before = tokens[number - 1][1] if number else ""
        after = tokens[number + 1][1] if number + 1 < len(tokens) else ""
        operator = next((op for op in (before, after) if op in _OPERATORS), "")
        if before == "bool" and number > 1:
            operator = tokens[number - 2][1]
        if kind == "number" and operator:
            found.append((start, end, operator))
    return found


def promtool_mutants(rule: Rule, interval_ns: int) -> Iterator[Mutant]:
    """Every change of an alert rule's limits and of its `for`."""
    for start, end, operator in limits_of(rule.expr):
        value = float(rule.expr[start:end])
        distance = abs(value) * 0.01 or 0.01
        for changed in (value - distance, value + distance):
            text = f"{changed:.12g}" if changed >= 0 else f"({changed:.12g})"
            expr = f"{rule.expr[:start]}{text}{rule.expr[end:]}"
            yield Mutant(replace(rule, expr=expr), f"{operator} {rule.expr[start:end]}", f"{operator} {text}")
    for changed_ns in (rule.for_ns - interval_ns, rule.for_ns + interval_ns):
        if changed_ns >= 0:
            original, changed_text = f"for: {duration_text(rule.for_ns)}", f"for: {duration_text(changed_ns)}"
            yield Mutant(replace(rule, for_ns=changed_ns), original, changed_text)


def judge_promtool(program: Path, tests: Sequence[PromtoolTest], jobs: int) -> list[Verdict]:
    """Run every mutant of every alert that a test is about, in each of those tests until one fails."""
    tasks: list[tuple[Mutant, Path, int, list[list[PromtoolTest]]]] = []
    for path in dict.fromkeys(path for test in tests for path in test.rule_files):
        for number, rule in enumerate(read_rules(path, shown_path(path))):
            about = [test for test in tests if path in test.rule_files and test.mentions(rule.name)]
            if rule.is_alert and about:
                files = [[test for test in about if test.file == file] for file in dict.fromkeys(t.file for t in about)]
                tasks += [(mutant, path, number, files) for mutant in promtool_mutants(rule, about[0].interval_ns)]

    def judge(task: tuple[Mutant, Path, int, list[list[PromtoolTest]]]) -> Verdict:
        mutant, path, number, files = task
        changed = {path: _with(yaml.safe_load(path.read_text(encoding="utf-8")), number, mutant.rule)}
        for of_file in files:
            for outcome in run_changed(program, of_file, changed):
                if not outcome.passed:
                    return Verdict(mutant, outcome.test.name)
        return Verdict(mutant, "")

    return in_parallel(judge, tasks, jobs)


def _with(document: dict[str, Any], number: int, rule: Rule) -> dict[str, Any]:
    """A rule file's document with the expression and `for` of its number-th rule replaced."""
    changed = copy.deepcopy(document)
    entry = [entry for group in changed["groups"] for entry in group["rules"]][number]
    entry["expr"] = rule.expr
    if rule.for_ns or "for" in entry:
        entry["for"] = duration_text(rule.for_ns)
    return changed
