"""Whether an alert that is silent has anything to judge, and what Prometheus's alerts say of series that Loki recorded.

In: alert expressions; recorded series. Out: expressions that say 0 or 1 where the alert would compare; promtool's answers.
Never: a limit of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from logging_pkg.pipeline.logql import ast, parse
from logging_pkg.pipeline.rules_test.expression import COMPARISONS
from tests.pipeline.regression.promtool import Labels, evaluate

PROMETHEUS_RULES = sorted((Path(__file__).parents[2] / "loki/prometheus_rules").iterdir())
_PROMQL_COMPARISON = re.compile(r"""("[^"]*")|(>=|<=|==|!=|>|<)""")


def judged(logql: str, *, with_guards: bool) -> str:
    """The expression without its comparisons: it has a sample wherever there is something to compare.

    `unless` becomes `and`: both sides have to be there. `with_guards` keeps the comparisons that are part of a sum or a
    quotient (at least 100 keys, half an hour of heartbeats): they have to hold.
    """
    edits = sorted(_edits(logql, parse(logql), with_guards=with_guards), reverse=True)
    for start, end, text in edits:
        logql = f"{logql[:start]}{text}{logql[end:]}"
    return logql


def _edits(text: str, node: object, *, with_guards: bool) -> list[tuple[int, int, str]]:
    if isinstance(node, ast.VectorAggregation):
        return _edits(text, node.operand, with_guards=with_guards)
    if not isinstance(node, ast.BinaryOperation):
        return []
    found: list[tuple[int, int, str]] = []
    at = text.index(node.op, node.left.end)
    if node.op in COMPARISONS:
        found.append((at, at + len(node.op), f"{node.op} bool"))
    if node.op == "unless":
        found.append((at, at + len(node.op), "and"))
    if node.op in {"and", "or", "unless"} or not with_guards:
        found += _edits(text, node.left, with_guards=with_guards) + _edits(text, node.right, with_guards=with_guards)
    return found


def judged_promql(promql: str) -> str:
    """The same of PromQL; what a page silences is judged all the same."""
    before = promql.partition("unless on (service_name, env) ALERTS")[0]
    return _PROMQL_COMPARISON.sub(lambda match: match[1] or f"{match[2]} bool", before)


def prometheus_answers(inputs: Sequence[Labels], minutes: int, folder: Path) -> tuple[dict[str, int], dict[str, int]]:
    """What Prometheus's rules say: alert -> evaluations in which it fires, and -> samples it judged, looked at every half hour.

    Each rule file is evaluated at its slowest group's interval, as promtool has one for all.
    """
    firing: dict[str, int] = {}
    judgements: dict[str, int] = {}
    for path in PROMETHEUS_RULES:
        groups = yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        alerts: Mapping[str, str] = {
            rule["alert"]: rule["expr"] for group in groups for rule in group["rules"] if "alert" in rule
        }
        questions = [(f'count_over_time(ALERTS{{alertstate="firing"}}[{minutes}m])', minutes)]
        questions += [
            (f"sum(count_over_time(({judged_promql(expr)})[{minutes}m:30m]))", minutes) for expr in alerts.values()
        ]
        interval = max((group["interval"] for group in groups), key=lambda text: int(text.removesuffix("m")))
        fired, *found = evaluate(inputs, questions, folder, path, interval)
        for labels, value in fired:
            firing[labels["alertname"]] = firing.get(labels["alertname"], 0) + int(value)
        judgements |= {name: int(samples[0][1]) if samples else 0 for name, samples in zip(alerts, found, strict=True)}
    return firing, judgements
