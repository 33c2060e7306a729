"""A whole gap: first what Loki's ruler records, then what Prometheus computes of it.

In: rules of both, a range, the two servers. Out: an Outcome. Never: Prometheus's own rules over a range in which what
they read is not complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from logging_pkg.loki_client import LokiClient
from logging_pkg.pipeline.backfill.own_rules import backfill_own
from logging_pkg.pipeline.backfill.prometheus import Prometheus
from logging_pkg.pipeline.backfill.ruler import Ruler
from logging_pkg.pipeline.backfill.rules import Group
from logging_pkg.pipeline.backfill.run import OnProgress, backfill
from logging_pkg.pipeline.backfill.slots import MS
from logging_pkg.pipeline.backfill.task import Outcome, Task


def fill_gap(
    lokis: Sequence[LokiClient],
    prometheus: Prometheus,
    groups: Sequence[Group],
    own: Sequence[Group],
    ruler: Ruler,
    task: Task,
    on_progress: OnProgress = lambda *_: None,
) -> Outcome:
    """Fill a range.

    Args:
        lokis: clients of the Loki that has the lines; so many queries run at once.
        prometheus: lacks the samples.
        groups: rules of Loki's ruler.
        own: rules of Prometheus.
        ruler: when `groups` are evaluated.
        task: the range and what to do with it.
        on_progress: told evaluations done, evaluations in all, and the series at work; begins anew with `own`.

    Raises:
        LokiError, PrometheusError, PrometheusUnreachableError, ServerError: a server does not answer, or refuses.
        RuleError: Loki refuses a rule.
    """
    results = backfill(lokis, prometheus, groups, ruler, task, on_progress)
    limits = prometheus.limits()
    own_task = replace(task, start_ns=max(task.start_ns, limits.oldest_ms * MS))
    if any(result.missing if task.is_dry else result.waits for result in results):
        return Outcome(results, sum(len(group.rules) for group in own), task.start_ns, limits)
    results += backfill_own(prometheus, own, own_task, on_progress)
    return Outcome(results, 0, own_task.start_ns if own else task.start_ns, limits)
