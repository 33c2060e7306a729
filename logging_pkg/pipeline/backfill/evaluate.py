"""What a rule would have recorded at each moment of a range.

In: a rule, its moments of evaluation, a Loki. Out: points by series, stale markers included. Never: a moment other than
those asked for.

One range query stands for an instant query at each moment. Loki rounds a range's ends to multiples of the step, but the
ruler's moments lie between those; so the range is moved up to the next multiple, and every window of the expression is
moved back by as much with `offset`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Final

from logging_pkg.exceptions import RuleError
from logging_pkg.loki_client import LokiClient, LokiStatusError, LokiUnanswered, Matrix, Scalar, Vector
from logging_pkg.pipeline.backfill.rules import RecordingRule
from logging_pkg.pipeline.backfill.slots import MS
from logging_pkg.pipeline.backfill.wire import STALE, LabelSet, Points, label_set
from logging_pkg.pipeline.logql.tokens import tokenize

#: Log time of one request: what Loki reads of a busy stream within its query_timeout.
CHUNK_NS: Final = 30 * 60 * 1_000_000_000

OnDone = Callable[[int], None]


def moved_back(expr: str, by_ns: int) -> str:
    """An expression that is at t + `by_ns` what this one is at t.

    Raises:
        LogQLError: it cannot be read.
    """
    if by_ns == 0:
        return expr
    tokens = tokenize(expr)
    out, at = [], 0
    for number, token in enumerate(tokens):
        if token.kind != "range":
            continue
        following = tokens[number + 1 : number + 3]
        offset_ns, end = 0, token.end
        if len(following) == 2 and following[0].kind == "keyword" and following[0].text == "offset":
            # Seconds as a float hold any offset below 100 days to the nanosecond, once rounded to microseconds.
            offset_ns, end = round(float(following[1].value) * 1_000_000) * 1000, following[1].end
        out.append(f"{expr[at : token.end]} offset {offset_ns + by_ns}ns")
        at = end
    return "".join((*out, expr[at:]))


def recorded(
    client: LokiClient,
    rule: RecordingRule,
    moments: range,
    labels: Mapping[str, str],
    on_done: OnDone = lambda _: None,
) -> dict[LabelSet, Points]:
    """The points of every series a rule records at these moments.

    Where a series was there at one moment and is not at the next, a stale marker ends it, as the ruler writes it. So
    one more moment, the one before the first, is evaluated.

    Args:
        client: of the Loki that has the lines.
        rule: the rule.
        moments: ns since 1970, one interval apart.
        labels: added to every series.
        on_done: told how many moments are evaluated, request by request.

    Raises:
        LokiError: Loki does not answer.
        RuleError: Loki refuses the expression, or it is no metric query.
    """
    if not moments:
        return {}
    asked = range(moments.start - moments.step, moments.stop, moments.step)
    values: dict[LabelSet, Points] = {}
    size = max(1, CHUNK_NS // moments.step)
    for first in range(0, len(asked), size):
        part = asked[first : first + size]
        for series, points in _evaluate(client, rule, part).items():
            named = label_set({**dict(series), **rule.labels, **labels, "__name__": rule.record})
            values.setdefault(named, {}).update(points)
        on_done(len(part))
    return {series: marked for series, points in values.items() if (marked := _with_markers(points, asked))}


def _with_markers(points: Points, asked: Sequence[int]) -> Points:
    """Points of the moments asked for but the first, with a marker where they end."""
    times = [moment // MS for moment in asked]
    found: Points = {}
    for before, at in pairwise(times):
        if at in points:
            found[at] = points[at]
        elif before in points:
            found[at] = STALE
    return found


def _evaluate(client: LokiClient, rule: RecordingRule, moments: range) -> dict[LabelSet, Points]:
    try:
        if len(moments) == 1:
            return _at(client, rule, moments[0])
        return _over(client, rule, moments)
    except (LokiStatusError, LokiUnanswered) as error:
        # Too much for one request: too long, too many series, too large an answer. Of less, Loki may be able.
        if len(moments) > 1:
            half = len(moments) // 2
            found = _evaluate(client, rule, moments[:half])
            for series, points in _evaluate(client, rule, moments[half:]).items():
                found.setdefault(series, {}).update(points)
            return found
        if isinstance(error, LokiStatusError) and error.status < 500:
            raise RuleError(f"{rule.place}: Loki refuses the expression: {error.message}") from error
        raise


def _at(client: LokiClient, rule: RecordingRule, moment: int) -> dict[LabelSet, Points]:
    answer = client.query(rule.expr, moment)
    if isinstance(answer, Scalar):
        return {(): {moment // MS: answer.value}}
    assert isinstance(answer, Vector)
    return {label_set(sample.labels): {moment // MS: sample.value} for sample in answer.samples}


def _over(client: LokiClient, rule: RecordingRule, moments: range) -> dict[LabelSet, Points]:
    by_ns = -moments.start % moments.step
    start_ns, end_ns = moments[0] + by_ns, moments[-1] + by_ns
    answer = client.query_range(moved_back(rule.expr, by_ns), start_ns, end_ns, step_s=moments.step / 1e9)
    if not isinstance(answer, Matrix):
        raise RuleError(f"{rule.place}: the expression selects lines; expected a number of them, such as rate(…)")
    return {
        label_set(series.labels): {
            (sample.timestamp_ns - by_ns) // MS: sample.value
            for sample in series.samples
            if start_ns <= sample.timestamp_ns <= end_ns
        }
        for series in answer.series
    }
