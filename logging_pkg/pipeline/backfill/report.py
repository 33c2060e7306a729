"""What a backfill did, for people and for programs.

In: results, the task. Out: lines of text, or a JSON document. Never: I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from logging_pkg.pipeline.backfill.prometheus import Limits
from logging_pkg.pipeline.backfill.task import Outcome, Result, Task
from logging_pkg.schemas.conventions import time_text

_NUMBERS = ("expected", "present", "differing", "missing", "written", "in_blocks", "too_old", "unconfirmed")


def document(outcome: Outcome, task: Task, seconds: float) -> dict[str, Any]:
    """The results as JSON."""
    results = outcome.results
    return {
        "from": time_text(task.start_ns),
        "to": time_text(task.end_ns),
        "dry_run": task.is_dry,
        "seconds": round(seconds, 3),
        "totals": {name: _sum(results, name) for name in _NUMBERS},
        "rules_waiting": outcome.waiting,
        "prometheus_rules_from": time_text(outcome.own_start_ns),
        "rules": [
            {
                "record": result.rule.record,
                "group": result.group.name,
                "file": result.group.file,
                "phase_ms": result.phase.ns / 1e6,
                "phase_source": result.phase.source,
                "evaluations": result.evaluations,
                **{name: getattr(result, name) for name in _NUMBERS},
            }
            for result in results
        ],
    }


def lines(outcome: Outcome, task: Task, seconds: float) -> list[str]:
    """The results as text: a line per rule that lacked something, remarks, and the sum."""
    results = outcome.results
    lacking = [result for result in results if result.missing]
    width = max((len(result.rule.record) for result in lacking), default=0)
    text = [f" {result.rule.record:{width}}  {_filled(result, task)}" for result in lacking]
    text += _remarks(results, task, outcome.limits) + _remarks_on_own(outcome, task)
    written = _sum(results, "written") + _sum(results, "in_blocks")
    did = "nothing written (dry run)" if task.is_dry else f"{written:,} written"
    text.append(
        f" {time_text(task.start_ns)} to {time_text(task.end_ns)}: {len(results)} rules, "
        f"{_sum(results, 'expected'):,} samples expected, {_sum(results, 'present'):,} there, "
        f"{_sum(results, 'missing'):,} missing, {did}   in {seconds:.1f} s"
    )
    return text


def is_filled(outcome: Outcome, task: Task) -> bool:
    """Whether nothing is missing any more."""
    results = outcome.results
    if outcome.waiting or outcome.own_start_ns > task.start_ns:
        return False
    if task.is_dry:
        return not _sum(results, "missing")
    return not (_sum(results, "too_old") or _sum(results, "unconfirmed"))


def _filled(result: Result, task: Task) -> str:
    parts = [f"{result.missing:,} of {result.expected:,} missing"]
    if not task.is_dry:
        parts.append(f"{result.written:,} written")
    if result.in_blocks:
        parts.append(f"{result.in_blocks:,} in blocks")
    if result.too_old:
        parts.append(f"{result.too_old:,} too old")
    if result.unconfirmed:
        parts.append(f"{result.unconfirmed:,} not found after writing")
    return ", ".join(parts)


def _remarks(results: Sequence[Result], task: Task, limits: Limits) -> list[str]:
    remarks = []
    if too_old := _sum(results, "too_old"):
        remarks.append(
            f" ! {too_old:,} samples are from before {time_text(limits.oldest_ms * 1_000_000)}, which Prometheus does "
            f"not take (out_of_order_time_window: {limits.window}). "
            "Run again with --blocks and Prometheus's data directory"
        )
    if _sum(results, "in_blocks"):
        remarks.append(
            f" ! blocks are in {task.blocks}. In Prometheus's data directory they are taken up within two minutes; "
            "a block holds no stale markers"
        )
    if unconfirmed := _sum(results, "unconfirmed"):
        remarks.append(f" ! {unconfirmed:,} samples were written and are not found afterwards; see Prometheus's log")
    if differing := _sum(results, "differing"):
        remarks.append(
            f" ! {differing:,} samples that are there differ from what the logs say now (lines that came late, or are "
            "deleted; Prometheus's own rules computed them while the gap was open); they are left as they are"
        )
    for source, how in (("hash", "from the hash of the rule file's path"), ("assumed", "assumed to be 0")):
        if guessed := sorted({result.group.name for result in results if result.phase.source == source}):
            remarks.append(
                f" ! no samples within an hour tell when these groups are evaluated; taken {how}: "
                + ", ".join(guessed[:5])
                + (f" and {len(guessed) - 5} more" if len(guessed) > 5 else "")
            )
    return remarks


def _remarks_on_own(outcome: Outcome, task: Task) -> list[str]:
    remarks = []
    if outcome.waiting:
        remarks.append(
            f" ! {outcome.waiting} rules of Prometheus itself are not looked at yet, since what they read is not "
            "complete; run again when it is"
        )
    if outcome.own_start_ns > task.start_ns:
        remarks.append(
            f" ! Prometheus's own rules are looked at from {time_text(outcome.own_start_ns)} on; it takes nothing "
            "older. Make blocks of the time before with promtool tsdb create-blocks-from rules"
        )
    return remarks


def _sum(results: Sequence[Result], name: str) -> int:
    return sum(getattr(result, name) for result in results)
