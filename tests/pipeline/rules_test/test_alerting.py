"""The life of an alert is the one Prometheus gives it."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest
import yaml

from logging_pkg.pipeline.rules_test.alerting import DuplicateAlertError, Point, active_alerts
from logging_pkg.pipeline.rules_test.labels import alert_labels
from logging_pkg.stack import find_binary

S = 1_000_000_000


def points(*values: float | None) -> list[list[Point]]:
    """Evaluations of one series."""
    return [[] if value is None else [Point({"a": "b"}, value, {"a": "b"})] for value in values]


def state(steps: list[list[Point]], for_s: int) -> list[str]:
    """P, F or . after each evaluation, 30 s apart."""
    states = []
    for end in range(1, len(steps) + 1):
        active = active_alerts(steps[:end], 30 * S, for_s * S)
        states.append("." if not active else "F" if next(iter(active.values())).is_firing else "P")
    return states


@pytest.mark.parametrize(
    ("present", "for_s", "expected"),
    [
        (".xxx", 0, ".FFF"),
        (".xxxx.", 60, ".PPFF."),
        (".xxxx.", 45, ".PPFF."),
        ("xx.xxx", 60, "PP.PPF"),
        ("xxx.x", 60, "PPF.P"),
        ("", 60, ""),
    ],
)
def test_an_alert_waits_for_its_for_and_forgets_it_at_the_first_gap(present: str, for_s: int, expected: str) -> None:
    """Pending from the first evaluation on, firing once `for` has passed, gone at once."""
    assert "".join(state(points(*(1 if x == "x" else None for x in present)), for_s)) == expected


def test_an_alert_tells_its_last_value_and_since_when(tmp_path: Path) -> None:
    """The value of the last evaluation, the time of the first."""
    (alert,) = active_alerts(points(None, 1, 2, 3), 30 * S, 60 * S).values()
    assert (alert.point.value, alert.since_ns, alert.is_firing) == (3, 30 * S, True)


def test_alerts_are_told_apart_by_the_labels_of_the_alert() -> None:
    """Two series that differ are two alerts; two that become one are refused, as the ruler does."""
    a, b = Point({"x": "a"}, 1, {"x": "a"}), Point({"x": "b"}, 2, {"x": "b"})
    assert len(active_alerts([[a, b]], S, 0)) == 2
    with pytest.raises(DuplicateAlertError, match="two series become one alert"):
        active_alerts([[Point({"x": "a"}, 1, {"y": "z"}), Point({"x": "b"}, 2, {"y": "z"})]], S, 0)


def test_a_rules_labels_stand_above_the_series_own() -> None:
    """An empty one takes the series' label away; the name of a series is none."""
    assert alert_labels({"__name__": "m", "a": "1", "b": "2", "c": "3"}, {"b": "x", "c": ""}) == {"a": "1", "b": "x"}


@pytest.mark.parametrize("seed", range(6))
def test_promtool_agrees(seed: int, tmp_path: Path) -> None:
    """Series that come and go by chance, under rules with several `for`: promtool finds the same alerts firing."""
    chosen = random.Random(seed)
    waits = [0, 30, 60, 90, 150]
    present = {name: [chosen.random() < 0.8 for _ in range(40)] for name in ("p", "q", "r")}
    series = [
        {
            "series": f'm{{x="{name}"}}',
            "values": " ".join(str(n) if here else "stale" for n, here in enumerate(of_name)),
        }
        for name, of_name in present.items()
    ]
    rules = [{"alert": f"A{wait}", "expr": "m", "for": f"{wait}s", "labels": {"severity": "s"}} for wait in waits]
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump({"groups": [{"name": "g", "interval": "30s", "rules": rules}]}))
    checks = []
    for wait in waits:
        for step in range(40):
            steps = [
                [Point({"x": name}, number, {"x": name}) for name, here in present.items() if here[number]]
                for number in range(step + 1)
            ]
            firing = [
                alert.point.labels["x"] for alert in active_alerts(steps, 30 * S, wait * S).values() if alert.is_firing
            ]
            expected = [{"exp_labels": {"x": name, "severity": "s"}} for name in firing]
            checks.append({"alertname": f"A{wait}", "eval_time": f"{30 * step}s", "exp_alerts": expected})
    test = {"name": "t", "interval": "30s", "input_series": series, "alert_rule_test": checks}
    document = {"rule_files": ["rules.yaml"], "evaluation_interval": "30s", "tests": [test]}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(document))
    promtool = find_binary("promtool").path
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    assert any(check["exp_alerts"] for check in checks)
