"""Find out what a gap lacks, and fill it.

In: groups of rules, a range, a Loki and a Prometheus. Out: one Result per rule. Never: a sample over one that is there,
whatever its value; Prometheus cannot replace one, and which of two is right is for people to say.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import yaml

from logging_pkg.exceptions import LokiError, RuleError
from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.backfill.blocks import write_blocks
from logging_pkg.pipeline.backfill.evaluate import recorded
from logging_pkg.pipeline.backfill.prometheus import Limits, Prometheus
from logging_pkg.pipeline.backfill.rules import Group, RecordingRule
from logging_pkg.pipeline.backfill.slots import MS, Phase, hashed_phases, phase_of, slots
from logging_pkg.pipeline.backfill.wire import LabelSet, Points, bits, is_stale
from logging_pkg.pipeline.logql.tokens import LogQLError, duration_ns
from logging_pkg.stack.servers import TENANT

#: How far around the range samples are looked for that tell a group's phase.
_AROUND_MS = 3_600_000
#: Two values that differ by less are one value, added up in another order.
_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class Ruler:
    """What Loki's own configuration says about its ruler.

    Attributes:
        path: where rule files lie while they are evaluated; None where Loki does not say.
        interval_ns: of groups that set none.
        kept_ns: how long Loki keeps lines; None for ever.
    """

    path: str | None
    interval_ns: int
    kept_ns: int | None


@dataclass(frozen=True, slots=True)
class Task:
    """What to do.

    Attributes:
        start_ns, end_ns: the range, both ends included.
        labels: added to every series, where the way into Prometheus adds them.
        is_dry: write nothing.
        blocks: where blocks are made of what is too old for remote write; None to leave it.
    """

    start_ns: int
    end_ns: int
    labels: Mapping[str, str] = field(default_factory=dict)
    is_dry: bool = False
    blocks: Path | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one rule; numbers of samples, stale markers included.

    Attributes:
        rule, group: which.
        phase: when its group is evaluated.
        evaluations: moments in the range.
        expected: samples the ruler would have written, after what the logs say now.
        present: of those, there before.
        differing: of those, with another value: lines came late, or are gone.
        written: by remote write.
        in_blocks: put into blocks.
        too_old: missing, refused by Prometheus, and in no block.
        unconfirmed: written, and not found afterwards.
    """

    rule: RecordingRule
    group: Group
    phase: Phase
    evaluations: int
    expected: int
    present: int
    differing: int
    written: int
    in_blocks: int
    too_old: int
    unconfirmed: int

    @property
    def missing(self) -> int:
        """Samples that were not there before."""
        return self.expected - self.present


def ruler_of(client: LokiClient) -> Ruler:
    """Ask Loki for its ruler's settings.

    Raises:
        LokiError: it does not answer.
    """
    try:
        document = yaml.safe_load(client.configuration())
        ruler, limits = document["ruler"], document["limits_config"]
        interval_ns = duration_ns(str(ruler["evaluation_interval"]))
        deletes = bool(document["compactor"].get("retention_enabled"))
        kept_ns = duration_ns(str(limits["retention_period"])) if deletes else 0
        return Ruler(str(ruler["rule_path"]), interval_ns, kept_ns or None)
    except (yaml.YAMLError, KeyError, TypeError, LogQLError) as error:
        raise LokiError(
            f"{client.url}/config: {type(error).__name__}: {error}; expected Loki's configuration"
        ) from None


def backfill(
    lokis: Sequence[LokiClient],
    prometheus: Prometheus,
    groups: Sequence[Group],
    ruler: Ruler,
    task: Task,
    on_progress: Callable[[int, int, str], None] = lambda *_: None,
) -> list[Result]:
    """Fill a range, rule by rule.

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
    phases = [_phase(prometheus, group, ruler, task) for group in groups]
    plans = [
        (group, phase, slots(phase, group.interval_ns or ruler.interval_ns, task.start_ns, task.end_ns))
        for group, phase in zip(groups, phases, strict=True)
    ]
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


def _phase(prometheus: Prometheus, group: Group, ruler: Ruler, task: Task) -> Phase:
    interval_ns = group.interval_ns or ruler.interval_ns
    candidates: tuple[int, ...] = ()
    if ruler.path is not None:
        # pkg/ruler/base/mapper.go
        path = f"{ruler.path.rstrip('/')}/{TENANT}/{quote(group.file, safe='$&+=:@')}"
        candidates = hashed_phases(path, group.name, interval_ns)
    start_ms, end_ms = task.start_ns // MS - _AROUND_MS, task.end_ns // MS + _AROUND_MS
    for rule in group.rules:
        series = prometheus.read(rule.record, start_ms, end_ms)
        if series:
            return phase_of(candidates, (at for points in series.values() for at in points), interval_ns)
    return phase_of(candidates, (), interval_ns)


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
        times = moments[0] // MS, moments[-1] // MS
        there = prometheus.read(rule.record, *times)
        missing: dict[LabelSet, Points] = {}
        for series, points in expected.items():
            old = there.get(series, {})
            numbers["present"] += sum(at in old for at in points)
            numbers["differing"] += sum(at in old and not same(old[at], value) for at, value in points.items())
            if lacking := {at: value for at, value in points.items() if at not in old}:
                missing[series] = lacking
        if missing and not task.is_dry:
            numbers |= _write(prometheus, task, rule, missing, times)
    return Result(
        rule=rule,
        group=group,
        phase=phase,
        evaluations=len(moments),
        expected=sum(map(len, expected.values())),
        **numbers,
    )


def _write(
    prometheus: Prometheus,
    task: Task,
    rule: RecordingRule,
    missing: Mapping[LabelSet, Points],
    times: tuple[int, int],
) -> dict[str, int]:
    limits: Limits = prometheus.limits()
    fresh = _part(missing, lambda at: at >= limits.oldest_ms)
    old = _part(missing, lambda at: at < limits.oldest_ms)
    prometheus.write(fresh)
    there = prometheus.read(rule.record, *times) if fresh else {}
    unconfirmed = sum(
        bits(there.get(series, {}).get(at, math.nan)) != bits(value)
        for series, points in fresh.items()
        for at, value in points.items()
    )
    in_blocks = write_blocks(old, task.blocks) if old and task.blocks is not None else 0
    markers = sum(is_stale(value) for points in old.values() for value in points.values())
    count_old = sum(map(len, old.values()))
    return {
        "written": sum(map(len, fresh.values())),
        "in_blocks": in_blocks,
        # A block has no markers; what the rest lacks is not to be mended by another run.
        "too_old": 0 if task.blocks is not None else count_old - markers,
        "unconfirmed": unconfirmed,
    }


def _part(series: Mapping[LabelSet, Points], chosen: Callable[[int], bool]) -> dict[LabelSet, Points]:
    parts = {labels: {at: value for at, value in points.items() if chosen(at)} for labels, points in series.items()}
    return {labels: points for labels, points in parts.items() if points}


def same(a: float, b: float) -> bool:
    """Whether two samples say the same: stale markers, NaNs, or numbers but for the order of their summands."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b) and is_stale(a) == is_stale(b)
    return math.isclose(a, b, rel_tol=_SAME)


def require_lines(ruler: Ruler, start_ns: int, now_ns: int, reach_ns: int) -> None:
    """Refuse a range whose lines Loki has deleted already: what is computed from the rest would be wrong.

    Raises:
        RuleError: it begins too early; the message says where it may.
    """
    if ruler.kept_ns is None:
        return
    oldest_ns = now_ns - ruler.kept_ns + reach_ns
    if start_ns < oldest_ns:
        hours = ruler.kept_ns / 3.6e12
        raise RuleError(
            f"--from: Loki keeps lines for {hours:g} h (retention_period), and the rules look back up to "
            f"{reach_ns / 3.6e12:.1f} h; the range may begin {(now_ns - oldest_ns) / 3.6e12:.1f} h ago at the earliest"
        )
