"""rules/untested: every rule is named by a test.

In: names of rules, test files in loki/tests and loki/prometheus_tests. Out: a problem for a rule no test names.
Never: runs a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from logging_pkg.pipeline.generate import RECORDING_RULES
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, Severity
from logging_pkg.pipeline.lint.project import PROMETHEUS_TESTS_DIRECTORY, TESTS_DIRECTORY, Project
from logging_pkg.pipeline.slo import SLO_LOKI_RULES, SLO_PROMETHEUS_RULES

ID = "rules/untested"
NEEDS = (Need.PROJECT,)

_HINT = f"write a test in {TESTS_DIRECTORY}: docs/RULE_TESTS.md"
_PROMETHEUS_HINT = f"write a test in {PROMETHEUS_TESTS_DIRECTORY}: docs/RULE_TESTS.md"
_GENERATED = (RECORDING_RULES, SLO_LOKI_RULES, SLO_PROMETHEUS_RULES)
_NAME = re.compile(r"[A-Za-z_:][\w:]*")


def check(project: Project) -> Iterator[Problem]:
    """A rule that no test file names as `alertname`, as `record` or in the `expr` of promtool's tests.

    A warning where the rules are generated.
    """
    tested = {name for file in project.test_files if file.root for name in _named(file.root.node)}
    generated: dict[str, list[str]] = {}
    for rules, hint in ((project.rules, _HINT), (project.prometheus_rules, _PROMETHEUS_HINT)):
        for rule in rules:
            name = rule.alert or rule.record
            if name is None or name.text in tested:
                continue
            if name.source.name in _GENERATED:
                generated.setdefault(name.source.name, []).append(name.text)
            else:
                yield Problem.at(name, ID, "no test names this rule", hint)
    for path, names in generated.items():
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        message = f"no test names {len(names)} of the generated rules: {shown}"
        hint = _PROMETHEUS_HINT if path == SLO_PROMETHEUS_RULES else _HINT
        yield Problem.about(path, ID, message, hint, severity=Severity.WARNING)


def _named(root: yaml.Node) -> Iterator[str]:
    """The values of `alertname` and `record` in it, and the names in its `expr`; an anchor is looked at once."""
    left, seen = [root], set[int]()
    while left:
        node = left.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))
        for item in node.value:
            key, value = item if isinstance(item, tuple) else (None, item)
            if key is not None and isinstance(value, yaml.ScalarNode) and key.value in ("alertname", "record"):
                yield str(value.value)
            if key is not None and isinstance(value, yaml.ScalarNode) and key.value == "expr":
                yield from _NAME.findall(str(value.value))
            left.append(value)
