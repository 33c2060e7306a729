"""Ask promtool what the shipped rules say after weeks of input.

In: series and expressions. Out: what each expression gives. Never: a rule of its own, or an expectation.

`promtool test rules` evaluates rule files over input series as Prometheus does, `for` and ALERTS included. It tells what an
expression gave only where something else was expected; so nothing is expected, and the answer is read.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from logging_pkg.stack import find_binary

RULES = Path(__file__).parents[3] / "loki/prometheus_rules/regression.yaml"

Labels = dict[str, str]
Sample = tuple[Labels, float]

_ANSWER = re.compile(r'^ +expr: (".*"), time: \w+,\n +exp: nil\n +got: (.*)$', re.MULTILINE)
_SAMPLE = re.compile(r"(?:\{([^{}]*)\} )?([-+]?(?:\d[\d.]*(?:E[-+]\d+)?|NaN|Inf))(?:, |$)")
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def series(name: str, labels: Labels, values: Iterable[float | None]) -> Labels:
    """One input series of a promtool test, a value a minute; None is no sample."""
    text = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return {
        "series": f"{name}{{{text}}}",
        "values": " ".join("_" if value is None else f"{value:.6g}" for value in values),
    }


def evaluate(
    inputs: Sequence[Labels],
    questions: Sequence[tuple[str, int]],
    folder: Path,
    rules: Path = RULES,
    interval: str = "5m",
) -> list[list[Sample]]:
    """The samples of each question, an expression and a minute, after the rules were evaluated every `interval` up to then.

    Raises:
        AssertionError: promtool refused the rules or an expression; with what it said.
    """
    tests = [{"expr": expression, "eval_time": f"{minute}m", "exp_samples": []} for expression, minute in questions]
    document = {
        "rule_files": [str(rules)],
        "evaluation_interval": interval,
        "tests": [{"interval": "1m", "input_series": list(inputs), "promql_expr_test": tests}],
    }
    path = folder / "simulated_test.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")  # which is YAML
    done = subprocess.run(
        [str(find_binary("promtool").path), "test", "rules", str(path)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = {json.loads(expression): samples for expression, samples in _ANSWER.findall(done.stdout + done.stderr)}
    assert "err:" not in done.stdout + done.stderr, done.stdout + done.stderr
    assert found or done.returncode == 0, done.stdout + done.stderr
    return [
        [(dict(_LABEL.findall(labels)), float(value)) for labels, value in _SAMPLE.findall(found.get(expression, ""))]
        for expression, _minute in questions
    ]
