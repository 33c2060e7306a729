"""Ask Loki what expressions are, at one time or at every evaluation of a rule.

In: a client of a test's tenant, expressions, times. Out: points by evaluation. Never: alerts' states or comparisons.
"""

from __future__ import annotations

from logging_pkg.exceptions import LokiError, RuleError
from logging_pkg.loki_client import LokiClient, LokiStatusError, Matrix, Scalar, Vector
from logging_pkg.pipeline.rules_test.labels import Labels, alert_labels
from logging_pkg.pipeline.rules_test.model import Rule

#: Evaluations in one request; Loki allows 11,000.
_MOST_STEPS = 5_000

#: Series and values of one evaluation.
Evaluation = list[tuple[Labels, float]]


def at(client: LokiClient, expr: str, time_ns: int) -> Evaluation:
    """What an expression is at one time.

    Raises:
        LokiError: Loki does not take it.
    """
    answer = client.query(expr, time_ns)
    if isinstance(answer, Scalar):
        return [({}, answer.value)]
    assert isinstance(answer, Vector)
    return [(_nameless(sample.labels), sample.value) for sample in answer.samples]


def every(client: LokiClient, expr: str, base_ns: int, interval_ns: int, until_ns: int) -> list[Evaluation]:
    """What an expression is at base, base + interval, … up to `until_ns` after base.

    One range query is the same as an instant query at each step, as long as base is a multiple of the interval: Loki
    rounds a range's ends to multiples of the step.

    Raises:
        LokiError: Loki does not take it.
    """
    assert base_ns % interval_ns == 0
    steps: list[Evaluation] = [[] for _ in range(until_ns // interval_ns + 1)]
    for first in range(0, len(steps), _MOST_STEPS):
        last = min(first + _MOST_STEPS, len(steps)) - 1
        start_ns, end_ns = base_ns + first * interval_ns, base_ns + last * interval_ns
        if start_ns == end_ns:
            steps[first] = at(client, expr, start_ns)
            continue
        answer = client.query_range(expr, start_ns, end_ns, step_s=interval_ns / 1_000_000_000)
        if not isinstance(answer, Matrix):
            raise RuleError(
                "the expression of a rule selects lines; expected a number of them, such as count_over_time(…)"
            )
        for series in answer.series:
            for sample in series.samples:
                number = (sample.timestamp_ns - base_ns) // interval_ns
                if first <= number <= last:
                    steps[number].append((_nameless(series.labels), sample.value))
    return steps


def alert_steps(client: LokiClient, rule: Rule, base_ns: int, interval_ns: int, until_ns: int) -> list[Evaluation]:
    """The evaluations of an alert rule up to a time.

    Raises:
        RuleError: Loki does not take the expression; the message names the rule.
    """
    try:
        return every(client, rule.expr, base_ns, interval_ns, until_ns)
    except LokiError as error:
        raise RuleError(f"{rule.place}: Loki refuses the expression: {refusal(error)}") from None


def record_labels(series: Labels, record: Rule | None) -> Labels:
    """A recorded series' labels: those of the expression and the rule's own."""
    return alert_labels(series, record.labels if record else {})


def refusal(error: LokiError) -> str:
    """Loki's own words, where it answered."""
    return error.message if isinstance(error, LokiStatusError) else str(error)


def _nameless(labels: Labels) -> Labels:
    return {name: value for name, value in labels.items() if name != "__name__"}
