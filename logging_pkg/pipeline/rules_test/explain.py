"""Why an expectation failed, or held: what each part of the expression was then, and the lines behind it.

In: an Outcome whose test is still in Loki. Out: lines of text. Never: a judgement; `run` has made it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from logging_pkg.exceptions import LokiError
from logging_pkg.loki_client import Entry, LokiClient, Streams
from logging_pkg.pipeline.rules_test import evaluate
from logging_pkg.pipeline.rules_test.compare import number_text
from logging_pkg.pipeline.rules_test.expression import (
    LogWindow,
    Part,
    comparisons_of,
    one_line,
    parts_of,
    windows_of,
)
from logging_pkg.pipeline.rules_test.labels import labels_text
from logging_pkg.pipeline.rules_test.model import AlertCheck, Rule
from logging_pkg.pipeline.rules_test.run import Outcome, evaluate_rule
from logging_pkg.pipeline.rules_test.throwaway import StoredTest, ThrowawayLoki
from logging_pkg.pipeline.rules_test.values import duration_text

#: Series, and lines, shown of each part.
_SHOWN = 5
_WIDTH = 140


def reasons(loki: ThrowawayLoki, outcome: Outcome) -> list[str]:
    """In a few lines: what each comparison of the rule compared, and what is still pending."""
    stored = outcome.stored
    if stored is None or outcome.error or not isinstance(outcome.check, AlertCheck):
        return []
    lines: list[str] = []
    for rule, time_ns in _looked_at(outcome):
        client = loki.client(stored.tenant)
        for comparison in comparisons_of(rule.expr):
            left = _answer(client, comparison.left, time_ns)
            lines.append(f"was {left}, wanted {comparison.op} {comparison.right_shown}: {comparison.left_shown}")
        lines += _pending(loki, stored, rule, outcome.check)
    return lines


def matched_lines(loki: ThrowawayLoki, outcome: Outcome) -> int:
    """How many stored lines the expression read at that time."""
    stored = outcome.stored
    if stored is None or outcome.error:
        return 0
    found = {
        (entry.timestamp_ns, entry.line)
        for _name, expr, time_ns in _expressions(outcome)
        for window in windows_of(expr)
        for entry in _entries(loki.client(stored.tenant), window, time_ns)
    }
    return len(found)


def explain(loki: ThrowawayLoki, outcome: Outcome) -> list[str]:
    """The expression, what each of its parts was, and the lines it read."""
    stored, check = outcome.stored, outcome.check
    lines = [
        f"{check.subject} at {duration_text(check.eval_ns)}   {outcome.test.file}:{check.line}   {outcome.test.name}"
    ]
    if stored is None or outcome.error:
        return [*lines, f"  {outcome.error}"]
    client = loki.client(stored.tenant)
    for name, expr, time_ns in _expressions(outcome):
        lines.append(f"  {name}, evaluated at {duration_text(time_ns - stored.base_ns)}")
        for part in parts_of(expr) or [Part(expr, one_line(expr), 0)]:
            lines.append(f"  {'  ' * part.depth}  {part.shown}")
            lines.append(f"  {'  ' * part.depth}    = {_answer(client, part.text, time_ns)}")
        for window in windows_of(expr):
            lines += _window_lines(client, stored, window, time_ns)
    if isinstance(check, AlertCheck):
        for rule, _time_ns in _looked_at(outcome):
            lines += [f"  {line}" for line in _pending(loki, stored, rule, check)]
    return lines


def _looked_at(outcome: Outcome) -> Iterator[tuple[Rule, int]]:
    """The alert rules of a check, and when each was evaluated last."""
    assert outcome.stored is not None
    assert isinstance(outcome.check, AlertCheck)
    for rule in outcome.test.rules[outcome.check.alertname]:
        interval_ns = outcome.test.interval_ns(rule)
        yield rule, outcome.stored.base_ns + outcome.check.eval_ns // interval_ns * interval_ns


def _expressions(outcome: Outcome) -> Iterator[tuple[str, str, int]]:
    """Name, expression and time of all a check looks at."""
    assert outcome.stored is not None
    if isinstance(outcome.check, AlertCheck):
        for rule, time_ns in _looked_at(outcome):
            yield f"{rule.name} ({rule.file}:{rule.line})", rule.expr, time_ns
        return
    record = outcome.check.record
    name = f"{record.name} ({record.file}:{record.line})" if record else "the expression"
    yield name, outcome.check.expr, outcome.stored.base_ns + outcome.check.eval_ns


def _pending(loki: ThrowawayLoki, stored: StoredTest, rule: Rule, check: AlertCheck) -> Iterator[str]:
    if rule.has_label_templates:
        return
    for alert in evaluate_rule(loki, stored, rule, check.eval_ns).active(check.eval_ns, None):
        state = "firing" if alert.is_firing else f"pending (for: {duration_text(rule.for_ns)})"
        yield f"{rule.name}{labels_text(alert.point.labels)} is {state}, active since {duration_text(alert.since_ns)}"


def _answer(client: LokiClient, expr: str, time_ns: int) -> str:
    """What an expression is, as text: series with values, the number alone where there is one."""
    try:
        found = evaluate.at(client, expr, time_ns)
    except LokiError as error:
        return f"refused by Loki: {evaluate.refusal(error)}"
    if not found:
        return "nothing"
    shown = [
        f"{number_text(value)} for {labels_text(labels)}" if labels else number_text(value) for labels, value in found
    ]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(sorted(shown)[:_SHOWN]) + more


def _entries(client: LokiClient, window: LogWindow, time_ns: int) -> Sequence[Entry]:
    last_ns = time_ns - window.offset_ns
    try:
        # A range query has its first and lacks its last instant, a window the other way round.
        answer = client.query_range(window.query, last_ns - window.range_ns + 1, last_ns + 1)
    except LokiError:
        return ()
    return answer.entries if isinstance(answer, Streams) else ()


def _window_lines(client: LokiClient, stored: StoredTest, window: LogWindow, time_ns: int) -> list[str]:
    entries = _entries(client, window, time_ns)
    last_ns = time_ns - window.offset_ns - stored.base_ns
    span = f"after {duration_text(last_ns - window.range_ns)}, up to {duration_text(last_ns)}"
    lines = [f"    {one_line(window.query, _WIDTH)}   {span}: {len(entries)} lines"]
    for entry in entries[:_SHOWN]:
        at = duration_text(round((entry.timestamp_ns - stored.base_ns) / 1_000_000) * 1_000_000)
        parsed = f"  {labels_text(entry.parsed)}" if entry.parsed else ""
        lines.append(f"      {at:>8}{parsed}  {one_line(entry.line, _WIDTH)}")
    if len(entries) > _SHOWN:
        lines.append(f"               … {len(entries) - _SHOWN} more")
    return lines
