"""rules/untested: of every rule a test expects something.

In: names of rules, expectations in loki/tests and loki/prometheus_tests. Out: a problem for a rule without.
Never: runs a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from logging_pkg.pipeline.generate import RECORDING_RULES
from logging_pkg.pipeline.lint.needs import Need
from logging_pkg.pipeline.lint.problem import Problem, Severity
from logging_pkg.pipeline.lint.project import PROMETHEUS_TESTS_DIRECTORY, TESTS_DIRECTORY, Project
from logging_pkg.pipeline.lint.yaml_file import Mapping
from logging_pkg.pipeline.slo import SLO_LOKI_RULES, SLO_PROMETHEUS_RULES

ID = "rules/untested"
NEEDS = (Need.PROJECT,)

_HINT = f"write a test in {TESTS_DIRECTORY}: docs/RULE_TESTS.md"
_PROMETHEUS_HINT = f"write a test in {PROMETHEUS_TESTS_DIRECTORY}: docs/RULE_TESTS.md"
_GENERATED = (RECORDING_RULES, SLO_LOKI_RULES, SLO_PROMETHEUS_RULES)
_NAME = re.compile(r"[A-Za-z_:][\w:]*")


def check(project: Project) -> Iterator[Problem]:
    """A rule that no expectation names: as `alertname`, as `record` or in `expr`; a name elsewhere is no test.

    One warning per file for generated series, whose generator is tested; an alert wakes somebody, generated or not.
    """
    tested = {name for file in project.test_files if file.root for name in _expected(file.root)}
    generated: dict[str, list[str]] = {}
    for rules, hint in ((project.rules, _HINT), (project.prometheus_rules, _PROMETHEUS_HINT)):
        for rule in rules:
            name = rule.alert or rule.record
            if name is None or name.text in tested:
                continue
            if name.source.name in _GENERATED and rule.record:
                generated.setdefault(name.source.name, []).append(name.text)
            else:
                yield Problem.at(name, ID, "no test names this rule", hint)
    for path, names in generated.items():
        shown = ", ".join(names[:3]) + (" …" if len(names) > 3 else "")
        message = f"no test names {len(names)} of the generated rules: {shown}"
        hint = _PROMETHEUS_HINT if path == SLO_PROMETHEUS_RULES else _HINT
        yield Problem.about(path, ID, message, hint, severity=Severity.WARNING)


def _expected(root: Mapping) -> Iterator[str]:
    """Names of alerts looked for, of series, and whatever names are in an expression that is looked at."""
    for test in root.mappings("tests"):
        for check in test.mappings("alert_rule_test"):
            yield from (name.text for name in [check.text("alertname")] if name)
        for key in ("logql_expr_test", "promql_expr_test"):
            for check in test.mappings(key):
                yield from (name.text for name in [check.text("record")] if name)
                yield from _NAME.findall(expr.text if (expr := check.text("expr")) else "")
