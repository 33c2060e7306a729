"""What a rule would have recorded at each moment of a range.

In: a rule, its moments of evaluation, clients of a Loki. Out: points by series, stale markers included. Never: a moment
other than those asked for, or a range query in place of an instant one.

A range query would read each line once instead of once per window. But Loki rounds its ends to multiples of the step,
and the ruler's moments lie between those, by nanoseconds; `offset` moves windows back by whole milliseconds only (Loki
3.7 answers nothing to others). So each moment is asked for by itself: the very query that the ruler would have run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Final

from logging_pkg.exceptions import RuleError
from logging_pkg.loki_client import (
    LokiClient,
    LokiRateLimited,
    LokiServerError,
    LokiStatusError,
    LokiUnanswered,
    Scalar,
)
from logging_pkg.pipeline.backfill.rules import RecordingRule
from logging_pkg.pipeline.backfill.slots import MS
from logging_pkg.pipeline.backfill.wire import STALE, LabelSet, Points, label_set

#: Waits before a query is asked again that Loki could not answer, s: a long backfill is to survive a busy moment.
_WAITS_S: Final = (1.0, 5.0)

OnDone = Callable[[int], None]


def recorded(
    clients: Sequence[LokiClient],
    rule: RecordingRule,
    moments: range,
    labels: Mapping[str, str],
    on_done: OnDone = lambda _: None,
) -> dict[LabelSet, Points]:
    """The points of every series a rule records at these moments.

    Where a series was there at one moment and is not at the next, a stale marker ends it, as the ruler writes it. So
    one more moment, the one before the first, is evaluated.

    Args:
        clients: of the Loki that has the lines; so many queries run at once.
        rule: the rule.
        moments: ns since 1970, one interval apart.
        labels: added to every series.
        on_done: told how many moments are evaluated, time after time.

    Raises:
        LokiError: Loki does not answer.
        RuleError: Loki refuses the expression, or it is no metric query.
    """
    if not moments:
        return {}
    asked = range(moments.start - moments.step, moments.stop, moments.step)
    values: dict[LabelSet, Points] = {}
    shares = [asked[number :: len(clients)] for number in range(len(clients))]
    with ThreadPoolExecutor(len(clients)) as pool:
        for share in pool.map(lambda client, part: _share(client, part, rule, on_done), clients, shares):
            for series, points in share.items():
                named = label_set({**dict(series), **rule.labels, **labels, "__name__": rule.record})
                values.setdefault(named, {}).update(points)
    return {series: marked for series, points in values.items() if (marked := _with_markers(points, asked))}


def _with_markers(points: Points, asked: Sequence[int]) -> Points:
    """Points of the moments asked for but the first, with a marker where they end."""
    found: Points = {}
    for before, at in pairwise(moment // MS for moment in asked):
        if at in points:
            found[at] = points[at]
        elif before in points:
            found[at] = STALE
    return found


def _share(client: LokiClient, moments: range, rule: RecordingRule, on_done: OnDone) -> dict[LabelSet, Points]:
    found: dict[LabelSet, Points] = {}
    for moment in moments:
        for series, value in _at(client, rule, moment).items():
            found.setdefault(series, {})[moment // MS] = value
        on_done(1)
    return found


def _at(client: LokiClient, rule: RecordingRule, moment: int) -> dict[LabelSet, float]:
    for wait_s in (*_WAITS_S, None):
        try:
            answer = client.query(rule.expr, moment)
            break
        except (LokiServerError, LokiRateLimited, LokiUnanswered):
            if wait_s is None:
                raise
            time.sleep(wait_s)
        except LokiStatusError as error:
            raise RuleError(f"{rule.place}: {rule.record}: Loki refuses the expression: {error.message}") from error
    if isinstance(answer, Scalar):
        return {(): answer.value}
    return {label_set(sample.labels): sample.value for sample in answer.samples}
