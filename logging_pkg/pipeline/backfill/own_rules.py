"""The recording rules of Prometheus itself, over a gap: burn rates, error budgets, levels, slopes.

In: a range in which what Loki's ruler records is complete. Out: the samples Prometheus would have recorded. Never: a
value computed while its input lacks something: it could not be replaced later.

A rule may read what another records, in its own group or not, or what it recorded itself before. So moments are gone
through as Prometheus goes through time: the earliest first, the rules of a group in their order, each sample written
before the next rule looks.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.rules import Group, RecordingRule
from logging_pkg.pipeline.backfill.run import OnProgress, count_unconfirmed, group_phase
from logging_pkg.pipeline.backfill.slots import MS, Phase, slots
from logging_pkg.pipeline.backfill.task import Result, Task, same
from logging_pkg.pipeline.backfill.wire import STALE, LabelSet, Points, label_set


@dataclass(slots=True)
class _Work:
    """One rule while its range is gone through; `previous` are the series it had a moment before."""

    rule: RecordingRule
    there: dict[LabelSet, Points]
    previous: set[LabelSet] = field(default_factory=set)
    written: dict[LabelSet, Points] = field(default_factory=dict)
    expected: int = 0
    missing: int = 0
    differing: int = 0


def own_groups(prometheus: Prometheus) -> list[Group]:
    """The groups of recording rules that Prometheus has loaded.

    Raises:
        ServerError: it does not answer.
    """
    groups = []
    for group in prometheus.client.rules():
        place = f"{group.file}: {group.name}"
        rules = tuple(
            RecordingRule(rule.name, rule.query, rule.labels, place) for rule in group.rules if rule.kind == "recording"
        )
        if rules:
            groups.append(Group(group.file, group.name, round(group.interval_s * 1e9), rules))
    return groups


def backfill_own(
    prometheus: Prometheus,
    groups: Sequence[Group],
    task: Task,
    on_progress: OnProgress = lambda *_: None,
) -> list[Result]:
    """Fill a range with what Prometheus's own rules record, moment by moment.

    Args:
        prometheus: lacks the samples.
        groups: its rules, as `own_groups` tells them.
        task: the range; it begins no earlier than what Prometheus takes (`Limits.oldest_ms`). Its labels are those of
            the way from Loki and are not added.
        on_progress: told evaluations done, evaluations in all, and the series at work.

    Raises:
        ServerError, PrometheusError, PrometheusUnreachableError: it does not answer, or refuses.
    """
    plans: list[tuple[Group, Phase, range, list[_Work]]] = []
    for group in groups:
        interval_ns = group.interval_ns or 0
        phase = group_phase(prometheus, group, group.file, interval_ns, task)
        moments = slots(phase, interval_ns, task.start_ns, task.end_ns)
        there = (prometheus.read(rule.record, task.start_ns // MS, task.end_ns // MS) for rule in group.rules)
        plans.append((group, phase, moments, [_Work(*pair) for pair in zip(group.rules, there, strict=True)]))
        for work in plans[-1][-1] if moments else ():
            # One moment before the first tells which series end with it.
            work.previous = set(_values(prometheus, work.rule, moments.start - interval_ns))
    total = sum(len(moments) * len(works) for _group, _phase, moments, works in plans)
    done = 0
    for moment, number in heapq.merge(*(_numbered(moments, n) for n, (_g, _p, moments, _w) in enumerate(plans))):
        for work in plans[number][-1]:
            on_progress(done, total, work.rule.record)
            _at(prometheus, work, moment, task)
            done += 1
    return [
        Result(
            rule=work.rule,
            group=group,
            phase=phase,
            evaluations=len(moments),
            expected=work.expected,
            present=work.expected - work.missing,
            differing=work.differing,
            written=sum(map(len, work.written.values())),
            in_blocks=0,
            too_old=0,
            unconfirmed=count_unconfirmed(prometheus, work.rule.record, work.written),
        )
        for group, phase, moments, works in plans
        for work in works
    ]


def _numbered(moments: range, number: int) -> Iterable[tuple[int, int]]:
    return ((moment, number) for moment in moments)


def _at(prometheus: Prometheus, work: _Work, moment_ns: int, task: Task) -> None:
    values, at = _values(prometheus, work.rule, moment_ns), moment_ns // MS
    lacking: dict[LabelSet, Points] = {}
    for series in values.keys() | work.previous:
        value = values.get(series, STALE)
        old = work.there.get(series, {}).get(at)
        if old is None:
            lacking[series] = {at: value}
        else:
            work.differing += not same(old, value)
    work.expected += len(values.keys() | work.previous)
    work.missing += len(lacking)
    work.previous = set(values)
    if lacking and not task.is_dry:
        prometheus.write(lacking)
        for series, points in lacking.items():
            work.written.setdefault(series, {}).update(points)


def _values(prometheus: Prometheus, rule: RecordingRule, moment_ns: int) -> dict[LabelSet, float]:
    answer = prometheus.client.query(rule.expr, moment_ns // MS)
    return {label_set({**one.labels, **rule.labels, "__name__": rule.record}): one.value for one in answer.samples}
