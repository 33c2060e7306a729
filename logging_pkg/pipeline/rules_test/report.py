"""How results are shown.

In: Outcomes with their reasons, those of promtool's tests too. Out: text for people, a document for programs.
Never: prints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from logging_pkg.pipeline.rules_test.compare import Difference
from logging_pkg.pipeline.rules_test.mutate import Verdict
from logging_pkg.pipeline.rules_test.promtool import PromtoolOutcome
from logging_pkg.pipeline.rules_test.run import Outcome
from logging_pkg.pipeline.rules_test.values import SECOND, duration_text

#: Between an alert and the value it has.
_VALUE = "   value "


@dataclass(frozen=True)
class Failure:
    """A failed expectation, why, and how many lines its expression read."""

    outcome: Outcome
    reasons: Sequence[str]
    matched_lines: int


def failure_text(failure: Failure) -> str:
    """Place, test and time; expected and got, with a mark under what differs; why."""
    outcome = failure.outcome
    check = outcome.check
    lines = [f" ✗ {outcome.test.file}:{check.line}: {outcome.test.name}   at {duration_text(check.eval_ns)}"]
    if outcome.error:
        return "\n".join([*lines, f"     error     {outcome.error}"])
    lines += _pairs(outcome.firing, "expected", "nothing")
    lines += _pairs(outcome.pending, "pending", "nothing pending")
    lines += [f"     {'because' if not number else '':10}{reason}" for number, reason in enumerate(failure.reasons)]
    count = f"{failure.matched_lines} line{'s' * (failure.matched_lines != 1)} matched"
    lines.append(f'     {count}: logpipe rules test {outcome.test.file} --explain "{outcome.test.name}"')
    return "\n".join(lines)


def promtool_failure_text(outcome: PromtoolOutcome) -> str:
    """Place, test and time; what promtool says."""
    check = outcome.check
    lines = [f" ✗ {outcome.test.file}:{check.line}: {outcome.test.name}   at {duration_text(check.eval_ns)}"]
    return "\n".join([*lines, *(f" {line.rstrip()}" for line in outcome.text.splitlines())])


@dataclass(frozen=True)
class Versions:
    """What the tests ran on; empty where there was nothing for it to do."""

    loki: str = ""
    promtool: str = ""


def summary(
    outcomes: Sequence[Outcome], of_promtool: Sequence[PromtoolOutcome], seconds: float, versions: Versions
) -> str:
    """`47 passed, 1 failed in 38 s   (30 tests, one real Loki 3.7.6, 3 h of log time; 5 tests, promtool 0.312.1)`."""
    passed = _passed(outcomes, of_promtool)
    failed = len(outcomes) + len(of_promtool) - passed
    parts = [f"{passed} passed", *([f"{failed} failed"] if failed else [])]
    where = []
    if outcomes or not of_promtool:
        where.append(_loki_part(outcomes, versions.loki))
    if of_promtool:
        where.append(
            f"{_count(len({id(outcome.test) for outcome in of_promtool}), 'test')}, promtool {versions.promtool}"
        )
    return f" {', '.join(parts)} in {seconds:.1f} s   ({'; '.join(where)})"


def _passed(outcomes: Sequence[Outcome], of_promtool: Sequence[PromtoolOutcome]) -> int:
    return sum(outcome.passed for outcome in outcomes) + sum(outcome.passed for outcome in of_promtool)


def _loki_part(outcomes: Sequence[Outcome], version: str) -> str:
    tests = {id(outcome.test): outcome.test for outcome in outcomes}
    log_ns = 0
    for test in tests.values():
        log_ns += test.end_ns - min([0, *(line.at_ns for line in test.lines)])
    hours = log_ns / (3600 * SECOND)
    length = f"{hours:.0f} h" if hours >= 2 else f"{hours * 60:.0f} min"
    return f"{_count(len(tests), 'test')}, one real Loki {version}, {length} of log time"


def document(
    outcomes: Sequence[Outcome],
    failures: Sequence[Failure],
    of_promtool: Sequence[PromtoolOutcome],
    verdicts: Sequence[Verdict],
    seconds: float,
    versions: Versions,
) -> dict[str, Any]:
    """The same for programs."""
    of_failed = {id(failure.outcome): failure for failure in failures}
    return {
        "passed": _passed(outcomes, of_promtool),
        "failed": len(outcomes) + len(of_promtool) - _passed(outcomes, of_promtool),
        "seconds": round(seconds, 3),
        "loki": versions.loki,
        "promtool": versions.promtool,
        "expectations": [
            *(_entry(outcome, of_failed.get(id(outcome))) for outcome in outcomes),
            *map(_promtool_entry, of_promtool),
        ],
        "mutants": [
            {
                "file": verdict.mutant.rule.file,
                "alert": verdict.mutant.rule.name,
                "in_place_of": verdict.mutant.original,
                "was": verdict.mutant.changed,
                "found_by": verdict.found_by,
                "survived": verdict.survived,
            }
            for verdict in verdicts
        ],
    }


def _place(outcome: Outcome | PromtoolOutcome) -> dict[str, Any]:
    return {
        "file": outcome.test.file,
        "line": outcome.check.line,
        "test": outcome.test.name,
        "subject": outcome.check.subject,
        "eval_time": duration_text(outcome.check.eval_ns),
        "passed": outcome.passed,
    }


def _promtool_entry(outcome: PromtoolOutcome) -> dict[str, Any]:
    return _place(outcome) if outcome.passed else {**_place(outcome), "error": outcome.text}


def _entry(outcome: Outcome, failure: Failure | None) -> dict[str, Any]:
    entry = _place(outcome)
    if failure is not None:
        entry |= {
            "error": outcome.error,
            "differences": [
                {"state": state, "expected": expected, "got": got}
                for state, difference in (("firing", outcome.firing), ("pending", outcome.pending))
                for expected, got in difference.pairs
            ],
            "reasons": list(failure.reasons),
            "matched_lines": failure.matched_lines,
        }
    return entry


def _pairs(difference: Difference, title: str, nothing: str) -> list[str]:
    lines = []
    for expected, got in difference.pairs:
        lines += [f"     {title:10}{expected or nothing}", f"     {'got':10}{got or nothing}"]
        if expected and got:
            lines.append(f"     {'':10}{_marks(expected, got)}")
    return lines


def _marks(expected: str, got: str) -> str:
    """Carets under what of `got` is not at the beginning or the end of `expected`."""
    if _VALUE not in expected:
        got = got.partition(_VALUE)[0]
    start = _same(expected, got)
    rest = got[start:]
    same_end = _same(rest[::-1], expected[start:][::-1])
    return " " * start + "^" * max(len(rest) - same_end, 1)


def _same(left: str, right: str) -> int:
    """How many characters they begin with alike."""
    return next(
        (n for n, pair in enumerate(zip(left, right, strict=False)) if pair[0] != pair[1]), min(len(left), len(right))
    )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
