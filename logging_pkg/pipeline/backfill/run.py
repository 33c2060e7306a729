"""Find out what a gap lacks, and fill it.

In: groups of rules, a range, a Loki and a Prometheus. Out: one Result per rule. Never: a sample over one that is there,
whatever its value; Prometheus cannot replace one, and which of two is right is for people to say.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.backfill.blocks import write_blocks
from logging_pkg.pipeline.backfill.evaluate import recorded
from logging_pkg.pipeline.backfill.prometheus import Limits, Prometheus
from logging_pkg.pipeline.backfill.ruler import Ruler
from logging_pkg.pipeline.backfill.rules import Group, RecordingRule
from logging_pkg.pipeline.backfill.slots import MS, Phase, hashed_phases, phase_of, slots
from logging_pkg.pipeline.backfill.task import Result, Task, same
from logging_pkg.pipeline.backfill.wire import LabelSet, Points, is_stale

#: How far around the range samples are looked for that tell a group's phase.
_AROUND_MS: Final = 3_600_000

OnProgress = Callable[[int, int, str], None]


def backfill(
    lokis: Sequence[LokiClient],
    prometheus: Prometheus,
    groups: Sequence[Group],
    ruler: Ruler,
    task: Task,
    on_progress: OnProgress = lambda *_: None,
) -> list[Result]:
    """Fill a range with what Loki's ruler records, rule by rule.

    Args:
        lokis: clients of the Loki that has the lines; so many queries run at once.
        prometheus: lacks the samples.
        groups: the rules.
        ruler: when groups are evaluated.
        task: the range and what to do with it.
        on_progress: told evaluations done, evaluations in all, and the series at work.

    Raises:
        LokiError, PrometheusError, PrometheusUnreachableError: a server does not answer, or refuses.
        RuleError: Loki refuses a rule.
    """
    plans = []
    for group in groups:
        interval_ns = group.interval_ns or ruler.interval_ns
        phase = group_phase(prometheus, group, ruler.file(group.file), interval_ns, task)
        plans.append((group, phase, slots(phase, interval_ns, task.start_ns, task.end_ns)))
    total = sum(len(group.rules) * (len(moments) + 1) for group, _phase, moments in plans if moments)
    done = 0
    lock = threading.Lock()
    results = []
    for group, phase, moments in plans:
        for rule in group.rules:
            on_progress(done, total, rule.record)

            def count(number: int, record: str = rule.record) -> None:
                nonlocal done
                with lock:
                    done += number
                    on_progress(done, total, record)

            expected = recorded(lokis, rule, moments, task.labels, count)
            results.append(_fill(prometheus, task, rule, group, phase, moments, expected))
    return results


def group_phase(prometheus: Prometheus, group: Group, file: str | None, interval_ns: int, task: Task) -> Phase:
    """When a group is evaluated, after its samples around the range, and after the path it is evaluated under."""
    candidates = () if file is None else hashed_phases(file, group.name, interval_ns)
    start_ms, end_ms = task.start_ns // MS - _AROUND_MS, task.end_ns // MS + _AROUND_MS
    for rule in group.rules:
        series = prometheus.read(rule.record, start_ms, end_ms)
        if series:
            return phase_of(candidates, (at for points in series.values() for at in points), interval_ns)
    return phase_of(candidates, (), interval_ns)


def count_unconfirmed(prometheus: Prometheus, record: str, written: Mapping[LabelSet, Points]) -> int:
    """Samples that were written and are not there now; the ruler's own, had it come in between, would say the same."""
    times = [at for points in written.values() for at in points]
    there = prometheus.read(record, min(times), max(times)) if times else {}
    return sum(
        at not in there.get(series, {}) or not same(there[series][at], value)
        for series, points in written.items()
        for at, value in points.items()
    )


def _fill(
    prometheus: Prometheus,
    task: Task,
    rule: RecordingRule,
    group: Group,
    phase: Phase,
    moments: range,
    expected: Mapping[LabelSet, Points],
) -> Result:
    numbers = dict.fromkeys(("present", "differing", "written", "in_blocks", "too_old", "unconfirmed"), 0)
    if expected:
        there = prometheus.read(rule.record, moments[0] // MS, moments[-1] // MS)
        missing: dict[LabelSet, Points] = {}
        for series, points in expected.items():
            old = there.get(series, {})
            numbers["present"] += sum(at in old for at in points)
            numbers["differing"] += sum(at in old and not same(old[at], value) for at, value in points.items())
            if lacking := {at: value for at, value in points.items() if at not in old}:
                missing[series] = lacking
        if missing and not task.is_dry:
            numbers |= _write(prometheus, task, rule, missing)
    return Result(
        rule=rule,
        group=group,
        phase=phase,
        evaluations=len(moments),
        expected=sum(map(len, expected.values())),
        **numbers,
    )


def _write(
    prometheus: Prometheus, task: Task, rule: RecordingRule, missing: Mapping[LabelSet, Points]
) -> dict[str, int]:
    limits: Limits = prometheus.limits()
    fresh = _part(missing, lambda at: at >= limits.oldest_ms)
    old = _part(missing, lambda at: at < limits.oldest_ms)
    prometheus.write(fresh)
    in_blocks = write_blocks(old, task.blocks) if old and task.blocks is not None else 0
    markers = sum(is_stale(value) for points in old.values() for value in points.values())
    count_old = sum(map(len, old.values()))
    return {
        "written": sum(map(len, fresh.values())),
        "in_blocks": in_blocks,
        # A block has no markers; what the rest lacks is not to be mended by another run.
        "too_old": 0 if task.blocks is not None else count_old - markers,
        "unconfirmed": count_unconfirmed(prometheus, rule.record, fresh),
    }


def _part(series: Mapping[LabelSet, Points], chosen: Callable[[int], bool]) -> dict[LabelSet, Points]:
    parts = {labels: {at: value for at, value in points.items() if chosen(at)} for labels, points in series.items()}
    return {labels: points for labels, points in parts.items() if points}
