"""Test files: YAML in the shape of promtool's, with log lines in place of samples.

In: paths, the declared events. Out: RuleTests. Never: a default that makes a test pass: what is misspelt or missing is
an error that names file, line, value and what was expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from pathlib import Path

from logging_pkg.pipeline.logql import LogQLError, parse
from logging_pkg.pipeline.logql.ast import LogQuery
from logging_pkg.pipeline.rules_test.document import Node, RuleTestError, read_document
from logging_pkg.pipeline.rules_test.inputs import read_events, read_lines
from logging_pkg.pipeline.rules_test.model import (
    AlertCheck,
    EventLine,
    ExpectedAlert,
    ExpectedSample,
    RawLine,
    Rule,
    RuleTest,
    SampleCheck,
)
from logging_pkg.pipeline.rules_test.rule_files import read_rules
from logging_pkg.pipeline.rules_test.values import SECOND
from logging_pkg.schemas import Registry

DEFAULT_INTERVAL_NS = 60 * SECOND
DEFAULT_TOLERANCE = 1e-9

_TEST_KEYS = ("name", "interval", "input_events", "input_lines", "logql_expr_test", "alert_rule_test")
_PROMTOOL_FOLDER = "promtool's files belong into a folder named prometheus_tests"
_FOREIGN_KEYS = {
    "input_series": f"Loki's rules read log lines: expected input_events or input_lines; {_PROMTOOL_FOLDER}",
    "promql_expr_test": f"Loki's rules are LogQL: expected logql_expr_test; {_PROMTOOL_FOLDER}",
}


def find_test_files(paths: Iterable[Path]) -> list[Path]:
    """Files as they are, and of directories the files whose names end in _test.yaml.

    Raises:
        RuleTestError: a path is not there, or a directory has no such file.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            here = sorted([*path.rglob("*_test.yaml"), *path.rglob("*_test.yml")])
            if not here:
                raise RuleTestError(f"{path}: no file there ends in _test.yaml; expected test files")
            found += here
        elif path.is_file():
            found.append(path)
        else:
            raise RuleTestError(
                f"{path}: no such file or directory; expected a test file such as loki/tests/a_test.yaml"
            )
    return found


def read_tests(path: Path, registry: Registry) -> list[RuleTest]:
    """The tests of a file.

    Raises:
        RuleTestError: it, or a rule file it names, is broken.
    """
    shown = shown_path(path)
    root = read_document(path, shown).keys(("rule_files", "evaluation_interval", "tests"), required=("tests",))
    rules = _rules(root.get("rule_files"), path.parent)
    interval_ns = (
        root["evaluation_interval"].duration(at_least=1) if "evaluation_interval" in root else DEFAULT_INTERVAL_NS
    )
    tests = [_test(node, rules, registry, interval_ns) for node in root["tests"].items()]
    names: set[str] = set()
    for test in tests:
        if test.name in names:
            raise RuleTestError(
                f"{shown}:{test.line}: a second test is named {test.name!r}; expected a name of its own"
            )
        names.add(test.name)
    return tests


def shown_path(path: Path) -> str:
    """A path as shown to people: below the working directory without it."""
    absolute = path.resolve()
    return absolute.relative_to(Path.cwd()).as_posix() if absolute.is_relative_to(Path.cwd()) else str(path)


def _rules(node: Node | None, directory: Path) -> dict[str, tuple[Rule, ...]]:
    rules: dict[str, tuple[Rule, ...]] = {}
    for item in node.items() if node is not None else ():
        path = directory / item.text()
        if not path.is_file():
            raise item.error(f"rule_files: {shown_path(path)} is not there; expected a path relative to this file")
        for rule in read_rules(path, shown_path(path)):
            rules[rule.name] = (*rules.get(rule.name, ()), rule)
    return rules


def _test(node: Node, rules: dict[str, tuple[Rule, ...]], registry: Registry, interval_ns: int) -> RuleTest:
    for key, advice in _FOREIGN_KEYS.items():
        if key in node.entries():
            raise node.error(f"{key} is promtool's; {advice}")
    entries = node.keys(_TEST_KEYS, required=("name",))
    every_ns = entries["interval"].duration(at_least=1) if "interval" in entries else DEFAULT_INTERVAL_NS
    lines: list[EventLine | RawLine] = []
    for item in _items(entries, "input_events"):
        lines += read_events(item, registry, every_ns)
    for item in _items(entries, "input_lines"):
        lines += read_lines(item, every_ns)
    samples = tuple(_sample_check(item, rules) for item in _items(entries, "logql_expr_test"))
    alerts = tuple(_alert_check(item, rules) for item in _items(entries, "alert_rule_test"))
    if not samples and not alerts:
        raise node.error("this test expects nothing; expected logql_expr_test or alert_rule_test")
    return RuleTest(entries["name"].text(), node.file, node.line, lines, samples, alerts, rules, interval_ns)


def _items(entries: dict[str, Node], key: str) -> list[Node]:
    return entries[key].items() if key in entries else []


def _sample_check(node: Node, rules: dict[str, tuple[Rule, ...]]) -> SampleCheck:
    entries = node.keys(("expr", "record", "eval_time", "exp_samples"), required=("eval_time", "exp_samples"))
    if ("expr" in entries) == ("record" in entries):
        raise node.error('expected either "expr" (LogQL) or "record" (the name of a recording rule)')
    record = _named(entries["record"], rules, is_alert=False)[0] if "record" in entries else None
    expr = record.expr if record else entries["expr"].text()
    eval_ns = entries["eval_time"].duration(at_least=0)
    expected = tuple(_expected_sample(item, record) for item in entries["exp_samples"].items())
    return SampleCheck(node.line, expr, record, eval_ns, expected)


def _expected_sample(node: Node, record: Rule | None) -> ExpectedSample:
    entries = node.keys(("labels", "value", "tolerance"), required=("value",))
    labels = _labels(entries["labels"], record) if "labels" in entries else {}
    return ExpectedSample(labels, entries["value"].number(), _tolerance(entries))


def _tolerance(entries: dict[str, Node]) -> float:
    tolerance = entries["tolerance"].number() if "tolerance" in entries else DEFAULT_TOLERANCE
    if not tolerance >= 0:
        raise entries["tolerance"].wrong("expected 0 or more: 0.01 is a hundredth of the value")
    return tolerance


def _labels(node: Node, record: Rule | None) -> dict[str, str]:
    """Labels as a mapping, or as promtool writes them: `name{a="b"}`."""
    if isinstance(node.value, dict):
        return node.texts()
    name, brace, rest = node.text().partition("{")
    if name.strip() and (record is None or name.strip() != record.name):
        raise node.wrong(f"expected {record.name if record else 'no name'} before the brace")
    matchers = _matchers(node, brace + rest) if rest.strip(" }") else ()
    return dict(matchers)


def _matchers(node: Node, selector: str) -> Iterator[tuple[str, str]]:
    try:
        query = parse(selector)
    except LogQLError as error:
        raise node.wrong(f'{error.reason}; expected labels such as {{route="/a/", env="test"}}') from None
    assert isinstance(query, LogQuery)
    for matcher in query.selector.matchers:
        if matcher.op != "=":
            raise node.wrong('expected name="value" for each label')
        yield matcher.name.text, matcher.value.text


def _alert_check(node: Node, rules: dict[str, tuple[Rule, ...]]) -> AlertCheck:
    entries = node.keys(
        ("alertname", "eval_time", "exp_alerts", "exp_pending"), required=("alertname", "eval_time", "exp_alerts")
    )
    _named(entries["alertname"], rules, is_alert=True)
    return AlertCheck(
        node.line,
        entries["alertname"].text(),
        entries["eval_time"].duration(at_least=0),
        tuple(map(_expected_alert, entries["exp_alerts"].items())),
        tuple(map(_expected_alert, entries["exp_pending"].items())) if "exp_pending" in entries else None,
    )


def _expected_alert(node: Node) -> ExpectedAlert:
    entries = node.keys(("exp_labels", "exp_annotations", "exp_value", "tolerance"), required=("exp_labels",))
    labels = entries["exp_labels"].texts()
    labels.pop("alertname", None)
    annotations = entries["exp_annotations"].texts() if "exp_annotations" in entries else {}
    value = entries["exp_value"].number() if "exp_value" in entries else None
    return ExpectedAlert(labels, annotations, value, _tolerance(entries))


def _named(node: Node, rules: dict[str, tuple[Rule, ...]], *, is_alert: bool) -> tuple[Rule, ...]:
    kind = "alert" if is_alert else "recording rule"
    known = [name for name, found in rules.items() if found[0].is_alert == is_alert]
    if node.text() not in known:
        near = get_close_matches(node.text(), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known)[:8]) or 'none'}"
        raise node.wrong(f"expected the name of {'an' if is_alert else 'a'} {kind} in rule_files; {hint}")
    return rules[node.text()]
