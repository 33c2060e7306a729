"""When troubles begin, and when Prometheus's alerts tell of them: the shipped rules, run by promtool.

In: for each alert a trouble that begins at one moment, after hours in which all was well, as Loki's ruler would record it. Out:
minutes from that moment to the first evaluation at which the alert fires; its labels and texts. Never: a limit or a window of
an alert, which are the rules' own.

What is recorded a moment before the trouble is as it was; the sample after it, one interval of the series later, is the first to see
something of it, and a window of 5 minutes holds more of it from sample to sample. That is the least favourable moment for the series.
For the alert's own evaluations each minute of their interval is tried, each as a service of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from logging_pkg.stack import find_binary
from tests.pipeline.regression.promtool import series

LOKI = Path(__file__).parents[2] / "loki"
H, DAY = 60, 1440
#: Every range ends so long ago (docs/adr/0020).
OFFSET_MIN = 0.5
_UNITS = {"s": 1 / 60, "m": 1, "h": 60}
_FOUND = re.compile(r"\{([^{}]*)\} ([-+.\dE]+)")
_LABEL = re.compile(r'(\w+)=("(?:[^"\\]|\\.)*")')
_ALERT = re.compile(r"^ *alertname: (\w+), time: .*?^ *\]$", re.MULTILINE | re.DOTALL)
_TEXTS = re.compile(r"^ *Labels:\{(.*)\}\n *Annotations:\{(.*)\},?$", re.MULTILINE)

#: What a series is so many minutes after the last sample that saw nothing of the trouble; 0 and less: before.
Value = Callable[[float], float]


@dataclass(frozen=True)
class Given:
    """A series that Loki records: its labels besides service and environment, its value."""

    name: str
    value: Value
    labels: Mapping[str, str]


@dataclass(frozen=True)
class Onset:
    """A trouble, and the alert that has to tell of it."""

    alert: str
    trouble: str
    given: tuple[Given, ...]


@dataclass(frozen=True)
class Texts:
    """An alert as it is sent: what the rule itself makes."""

    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True)
class Answer:
    """Of each alert of a run: minutes from the onset until it fires, the slowest of all phases; its texts then."""

    minutes: dict[str, float]
    texts: dict[str, Texts]


@dataclass(frozen=True)
class Run:
    """Troubles of one rule file, which begin together.

    Attributes:
        file: of loki/prometheus_rules.
        before_min, after_min: how long all was well, and how long the trouble is looked at.
        every_min: how often the rules are evaluated: the interval of the alerts' group, or more.
        sample_min: a sample of each series so often; None: as often as Loki records it.
    """

    file: str
    before_min: int
    after_min: int
    every_min: int
    onsets: tuple[Onset, ...]
    sample_min: int | None = None

    @cached_property
    def phases(self) -> range:
        """Minutes between an evaluation of the alert and the last sample before the trouble."""
        return range(self.every_min if self.sample_min is None else 1)

    def inputs(self) -> list[dict[str, str]]:
        """The series, minute by minute."""
        length = self.before_min + self.after_min
        found = []
        for onset in self.onsets:
            for phase in self.phases:
                for given in onset.given:
                    step = self.sample_min or interval_min(given.name)
                    last = self.before_min + phase
                    values = [
                        given.value(minute - last) if (minute - last) % step == 0 else None for minute in range(length)
                    ]
                    labels = {"service_name": service(onset.alert, phase), "env": "test", **given.labels}
                    found.append(series(given.name, labels, values))
        return found

    def answer(self, folder: Path) -> Answer:
        """Have promtool evaluate the rules.

        Raises:
            AssertionError: an alert fires before the trouble, or not in the time that is looked at.
        """
        names = "|".join(onset.alert for onset in self.onsets)
        firing = f'ALERTS{{alertstate="firing", alertname=~"{names}"}}'
        end = self.before_min + self.after_min - 1
        early = f"count by (alertname, service_name) (count_over_time({firing}[{self.before_min}m]))"
        # promtool shows four digits, so the difference is computed there.
        first = (
            f"min by (alertname, service_name) (min_over_time((timestamp({firing}))[{self.after_min}m:1m])) / 60"
            f" - {self.before_min}"
        )
        said = self._promtool(folder, [(early, self.before_min), (first, end)], end)
        samples = [(dict(_labels(labels)), float(value)) for labels, value in _FOUND.findall(_answer(said, first))]
        assert _answer(said, early) == "nil", _answer(said, early)
        minutes: dict[str, float] = {}
        for labels, value in samples:
            name, phase = labels["alertname"], int(labels["service_name"].rpartition("-")[2])
            minutes[name] = max(minutes.get(name, 0.0), value - phase + OFFSET_MIN)
        found = {(labels["alertname"], labels["service_name"]) for labels, _ in samples}
        assert found == {(onset.alert, service(onset.alert, phase)) for onset in self.onsets for phase in self.phases}
        texts = {}
        for block in _ALERT.finditer(said):
            for own, said_of_it in _TEXTS.findall(block[0]):
                one = Texts(dict(_labels(own)), dict(_labels(said_of_it)))
                if one.labels["service_name"] == service(block[1], 0):
                    texts[block[1]] = one
        assert set(texts) == {onset.alert for onset in self.onsets}
        return Answer(minutes, texts)

    def _promtool(self, folder: Path, questions: Sequence[tuple[str, int]], end: int) -> str:
        """Nothing is expected, so promtool tells all that it finds."""
        document = {
            "rule_files": [str(LOKI / "prometheus_rules" / self.file)],
            "evaluation_interval": f"{self.every_min}m",
            "tests": [
                {
                    "interval": "1m",
                    "external_labels": {"grafana_url": "http://127.0.0.1:3000"},
                    "input_series": self.inputs(),
                    "promql_expr_test": [
                        {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "x", "value": 1}]}
                        for expression, minute in questions
                    ],
                    "alert_rule_test": [
                        {"alertname": onset.alert, "eval_time": f"{end}m", "exp_alerts": []} for onset in self.onsets
                    ],
                }
            ],
        }
        path = folder / f"onset_{self.file}"
        path.write_text(json.dumps(document), encoding="utf-8")  # which is YAML
        command = [str(find_binary("promtool").path), "test", "rules", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert "err:" not in done.stdout + done.stderr, done.stdout + done.stderr
        return done.stdout + done.stderr


def _answer(said: str, expression: str) -> str:
    """What promtool got for an expression."""
    (found,) = re.findall(
        rf"^ +expr: {re.escape(json.dumps(expression))}, time: .*\n +exp: .*\n +got: (.*)$", said, re.MULTILINE
    )
    return str(found)


def _labels(text: str) -> list[tuple[str, str]]:
    return [(name, json.loads(value)) for name, value in _LABEL.findall(text)]


def service(alert: str, phase: int) -> str:
    """A service of its own for each alert and phase: none silences another's."""
    return f"{alert.lower()}-{phase}"


def interval_min(name: str) -> int:
    """How often Loki records a series."""
    return max(1, round(RECORDED_MIN[name]))


def minutes_of(text: str) -> float:
    """`1m30s` in minutes."""
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smh])", text))


def groups(folder: str) -> list[dict[str, Any]]:
    """The groups of all rule files of a folder of loki/."""
    return [
        group for path in sorted((LOKI / folder).glob("*.y*ml")) for group in yaml.safe_load(path.read_text())["groups"]
    ]


RECORDED_MIN = {
    rule["record"]: minutes_of(group["interval"])
    for group in groups("rules")
    for rule in group["rules"]
    if "record" in rule
}
