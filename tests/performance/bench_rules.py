"""What evaluating every rule once costs Loki, at 5,000 events a second; and how long the rules' own tests take.

In: the rule files of loki/rules. Out: a table of rules on stdout, result rows from `measure`. Never: a rule left out. Run it
with `python -m tests.performance.bench_rules [--quick | --full]`.

Each event's stream is filled for the longest window that a rule has on it, at a fraction of the rate (SCALE); every rule
is evaluated with half of the lines there, and again with all. Two points make a line: what a rule costs without lines,
and per line. Costs are CPU time of the Loki process, which the machine's other users hardly touch; the ruler evaluates a
rule in one thread, so it is the time an evaluation takes where nobody else wants the processor. The ruler asks no query
frontend; as loki.yaml has it, the frontend passes a query on as it is, so both read the same (docs/adr/0075).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import yaml
from rich.console import Console
from rich.table import Table

from logging_pkg.loki_client import Entry, LokiClient, Stream
from logging_pkg.pipeline.logql.tokens import tokenize
from logging_pkg.schemas.conventions import STRUCTURED_METADATA
from logging_pkg.stack import Stack
from tests.performance.side_by_side import Row, benchmark_main
from tests.pipeline.events import REGISTRY, line
from tests.pipeline.test_recording_rules import some_value

RULES = Path(__file__).parents[2] / "loki/rules"
#: Events a second, all together.
RATE = 5_000.0
#: Of the group's interval, for one evaluation of all its rules.
TARGET_SHARE = 0.20
#: Seconds for `logpipe rules test`.
TARGET_SUITE_S = 180.0
#: Fraction of the rate that is really stored.
QUICK_SCALE, FULL_SCALE = 0.02, 0.1
_ROUTES = 40
_BATCH = 2_000
#: The least of so many evaluations counts, minutes apart: a garbage collection or a neighbour may disturb some.
_ROUNDS = 5
#: Events a second that do not grow with the traffic: heartbeats of 30 processes and the like. Google allows a million
#: calls a day.
FIXED = {
    "google_api.call_finished": 11.6,
    "process.sampled": 2.0,
    "cache.usage_reported": 1.0,
    "shipper.status_reported": 0.5,
    "sync.run_finished": 4.0,
    "calendar.connection_checked": 1.0,
    "cache.warm_finished": 0.1,
    "cache.warmed_keys_read": 0.5,
    "sync.schedule_checked": 0.1,
    "logging.event_rejected": 0.01,
    "logging.file_deleted": 0.01,
    "http.request_stuck": 0.01,
    "db.query_explained": 0.1,
}
#: Shares of the rest. One request brings a few watched functions, now and then an outbound call, a log record, an action;
#: findings are the exception.
SHARES = {
    "http.request_finished": 30.0,
    "function.call_finished": 40.0,
    "log.message_recorded": 15.0,
    "http_client.request_finished": 8.0,
    "user.action_recorded": 4.0,
    "db.slow_query_detected": 1.0,
    "db.n_plus_one_detected": 1.0,
    "http.slow_request_detected": 0.5,
    "db.high_query_count_detected": 0.4,
    "http.orphaned_work_detected": 0.1,
}


@dataclass(frozen=True)
class Rule:
    """A rule, its group's interval, and the windows it reads: event names (a regular expression) and seconds."""

    name: str
    group: str
    interval_s: float
    expr: str
    windows: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Cost:
    """CPU seconds of one evaluation at the full rate, projected; lines it reads there."""

    rule: Rule
    seconds: float
    lines: float
    linearity: float

    @property
    def share(self) -> float:
        """Of its interval."""
        return self.seconds / self.rule.interval_s


def read_rules() -> list[Rule]:
    """Every recording and alert rule of the project."""
    found = []
    for path in sorted(RULES.glob("*.yaml")):
        for group in yaml.safe_load(path.read_text())["groups"]:
            interval_s = _seconds(str(group.get("interval", "15s")))
            for rule in group["rules"]:
                name, expr = rule.get("record") or rule["alert"], rule["expr"]
                found.append(Rule(name, group["name"], interval_s, expr, tuple(_windows(expr))))
    return found


def rates() -> dict[str, float]:
    """Events a second by name, at the full rate."""
    whole = sum(SHARES.values())
    rest = RATE - sum(FIXED.values())
    return {**FIXED, **{event: rest * share / whole for event, share in SHARES.items()}}


def measure(quick: bool) -> list[Row]:
    """Load a Loki, evaluate everything, show what each rule costs; then the rules' tests."""
    costs, scale = measure_costs(quick)
    _show(costs)
    groups: dict[tuple[str, float], list[Cost]] = defaultdict(list)
    for cost in costs:
        groups[cost.rule.group, cost.rule.interval_s].append(cost)
    shares = {key: sum(cost.seconds for cost in found) / key[1] for key, found in groups.items()}
    rows = [
        Row(
            f"rules of {group}: CPU of one evaluation / its {interval:g} s",
            f"{share:.1%}",
            f"< {TARGET_SHARE:.0%}",
            share < TARGET_SHARE,
        )
        for (group, interval), share in sorted(shares.items(), key=lambda item: -item[1])[:6]
    ]
    hot = max(costs, key=lambda cost: cost.seconds)
    rows += [
        Row(f"all {len(costs)} rules at {RATE:,.0f} events/s, cores", f"{sum(shares.values()):.2f}"),
        Row(f"dearest rule, {hot.rule.name}", f"{hot.seconds:.2f} s, {hot.seconds / hot.lines * 1e6:.1f} us/line"),
        Row(f"its cost with twice the lines (stored: {scale:.0%} of the rate)", f"{hot.linearity:.2f}x"),
    ]
    return [*rows, *measure_suite()]


def measure_costs(quick: bool) -> tuple[list[Cost], float]:
    """What each rule costs at the full rate; and the scale it was measured at."""
    scale = QUICK_SCALE if quick else FULL_SCALE
    rules = read_rules()
    by_event = rates()
    unknown = {
        event for rule in rules for pattern, _ in rule.windows for event in pattern.split("|") if event not in by_event
    } - {".+"}
    # Whatever else there is does not come with the traffic.
    by_event |= dict.fromkeys(unknown, 0.1)
    windows: dict[str, float] = defaultdict(lambda: 330.0)
    for rule in rules:
        for pattern, window_s in rule.windows:
            for event in pattern.split("|"):
                windows[event] = max(windows[event], window_s)
    with Stack(("loki",)) as stack, LokiClient(stack.loki_url, timeout_s=120) as client:
        pid = stack.pid("loki")
        assert pid is not None
        now_ns = time.time_ns()
        measured = []
        for half in (0, 1):
            for event, rate in by_event.items():
                _fill(client, event, rate * scale, windows[event], half, now_ns)
            rounds = [[_evaluate(client, pid, rule, now_ns) for rule in rules] for _ in range(_ROUNDS)]
            measured.append([min(of_rule) for of_rule in zip(*rounds, strict=True)])
    costs = []
    for rule, few, many in zip(rules, *measured, strict=True):
        without = max(0.0, 2 * few - many)
        lines = sum(
            by_event[event] * window_s
            for pattern, window_s in rule.windows
            for event in pattern.split("|")
            if event != ".+"
        )
        costs.append(Cost(rule, without + max(0.0, many - without) / scale, lines, many / few))
    return costs, scale


def measure_suite() -> list[Row]:
    """How long `logpipe rules test` takes for the whole suite."""
    before, began = os.times(), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "logging_pkg.cli", "rules", "test"], cwd=RULES.parents[1], capture_output=True, text=True
    )
    seconds, after = time.perf_counter() - began, os.times()
    assert done.returncode == 0, done.stdout + done.stderr
    cpu_s = after.children_user + after.children_system - before.children_user - before.children_system
    return [
        Row(
            "logpipe rules test, whole suite, wall",
            f"{seconds:.0f} s",
            f"< {TARGET_SUITE_S:.0f} s",
            seconds < TARGET_SUITE_S,
        ),
        Row("CPU time of the command and what it waited for", f"{cpu_s:.0f} s"),
    ]


def _fill(client: LokiClient, event: str, rate: float, window_s: float, half: int, now_ns: int) -> None:
    """Store every other line of an event's window."""
    # A day back: older lines are not seen before Loki has written them to its store.
    span_s = min(window_s, 84_000.0) + 60
    count = max(4, int(rate * span_s))
    # A stream for each half: into the first one's, lines of the past day could not be put any more.
    labels = {"service_name": "bench", "env": f"half{half}", "event": event}
    batch: list[Entry] = []
    for number, made in enumerate(_lines(event, half, count)):
        at_ns = now_ns - int(span_s * 1e9) + int((2 * number + half) * span_s * 1e9 / count)
        if at_ns >= now_ns:
            break
        text = orjson.dumps(made).decode()
        metadata = {name: str(made[name]) for name in STRUCTURED_METADATA if made.get(name) is not None}
        batch.append(Entry(at_ns, text, metadata))
        if len(batch) == _BATCH:
            client.push([Stream(labels, batch)])
            batch = []
    client.push([Stream(labels, batch)])


def _lines(event: str, seed: int, count: int) -> Iterator[dict[str, Any]]:
    """Valid lines of an event, each with IDs of its own."""
    chosen = random.Random(seed)
    schema = REGISTRY.events[event]
    fields = {name for metric in schema.metrics for name in (*metric.by, metric.field, metric.weight) if name}
    templates = []
    for _ in range(200):
        values = {name: some_value(REGISTRY.field(event, name), name, chosen) for name in fields}
        if "route" in values:
            values["route"] = f"/section{chosen.randrange(_ROUTES)}/{{id}}/"
        templates.append(line(event, "bench", 1_700_000_000_000_000_000, **values))
    for number in range(count // 2):
        some_id = f"{chosen.getrandbits(128):032x}"
        yield {**templates[number % 200], "correlation_id": some_id, "event_id": f"{some_id}-{number}", "seq": number}


def _evaluate(client: LokiClient, pid: int, rule: Rule, now_ns: int) -> float:
    """CPU seconds of one evaluation."""
    before = _cpu_ns(pid)
    client.query(rule.expr, now_ns)
    return max(1e-6, (_cpu_ns(pid) - before) / 1e9)


def _cpu_ns(pid: int) -> int:
    """CPU time of all threads of a process, ns; /proc/PID/stat counts in hundredths of a second."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat"))


def _windows(expr: str) -> Iterator[tuple[str, float]]:
    event = ""
    tokens = tokenize(expr)
    for number, token in enumerate(tokens):
        if token.kind == "identifier" and token.text == "event" and tokens[number + 2].kind == "string":
            event = str(tokens[number + 2].value)
        if token.kind == "range":
            yield event, float(token.value)


def _seconds(text: str) -> float:
    return float(tokenize(f"[{text}]")[0].value)


def _show(costs: Sequence[Cost]) -> None:
    table = Table(title=f"Cost of each rule at {RATE:,.0f} events/s", title_justify="left", title_style="bold")
    for name in ("rule", "interval", "lines read", "CPU", "share"):
        table.add_column(name, justify="left" if name == "rule" else "right")
    for cost in sorted(costs, key=lambda cost: -cost.share):
        table.add_row(
            cost.rule.name,
            f"{cost.rule.interval_s:g} s",
            f"{cost.lines:,.0f}",
            f"{cost.seconds:.3f} s",
            f"{cost.share:.1%}",
        )
    Console(width=None if sys.stdout.isatty() else 120).print(table)


if __name__ == "__main__":
    benchmark_main("What rules cost", measure)
