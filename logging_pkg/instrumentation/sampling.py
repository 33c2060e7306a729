"""Which detail events are kept where not all of them are wanted: all of a correlation ID, or none.

In: a span, the setting detail_sample_rate. Out: the weight of a kept event. Never: drops a failure, decides for one
process alone.
"""

from __future__ import annotations

from logging_pkg import conf
from logging_pkg.context import Span
from logging_pkg.instrumentation.totals import Totals

#: The last 56 bits of a trace ID are the random ones (W3C Trace Context level 2), and those of a UUIDv7 are as well.
_RANDOM_DIGITS = 14
_RANGE = 16**_RANDOM_DIGITS


def weight_of_detail(span: Span, *, has_failed: bool) -> float | None:
    """How many events of its kind a detail event stands for; None when it is to be left out, which its units count.

    Every process that sees the correlation ID decides alike, so that a trace is never half kept.
    """
    rate = conf.settings().detail_sample_rate
    if rate >= 1 or has_failed:
        return 1
    if int(span.correlation_id[-_RANDOM_DIGITS:], 16) < rate * _RANGE:
        return 1 / rate
    totals: Totals | None = span.totals
    if totals is not None:
        totals.drop_detail()
    return None
