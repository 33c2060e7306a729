"""What will be used up, and when: the values that the forecasting alerts compare with their limits.

In: alert rules, clients. Out: Forecasts. Never: a slope of its own; the rules' own expressions are asked
(docs/CAPACITY.md, docs/adr/0065).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from logging_pkg.loki_client import LokiClient, VectorSample
from logging_pkg.pipeline.alert_story import AlertRule, values_now
from logging_pkg.prometheus_client import PrometheusClient

_DAY_S: Final = 86400.0
#: Alert -> what runs out, seconds of one unit of its value (None: a share of a quota).
FORECASTS: Final[Mapping[str, tuple[str, float | None]]] = {
    "DiskFillsUp": ("disk of the log files, last hour's rate", 1.0),
    "DiskFullInDays": ("disk of the log files, last day's rate", _DAY_S),
    "MemoryRunsOut": ("memory, last hour's rate", 1.0),
    "DatabaseFillsUp": ("database, last day's rate", _DAY_S),
    "GoogleQuotaDayRunsOut": ("Google's quota of the day", None),
}
#: Bytes a day, the fastest growing first.
GROWTH_QUERY: Final = "topk({limit}, alias_table:db_table_growth_bytes_per_day:deriv_1d > 0)"


@dataclass(frozen=True, slots=True)
class Forecast:
    """One thing that runs out.

    Attributes:
        of: labels, what of.
        left_s: how long it lasts, s; None for a share.
        share: of the day's quota that will be used by midnight Pacific; None for a time.
        alert_s, alert_share: where the alert is.
        is_breach: whether the value is beyond that.
        query: LogQL or PromQL of the value.
    """

    what: str
    alert: str
    of: Mapping[str, str]
    left_s: float | None
    share: float | None
    alert_s: float | None
    alert_share: float | None
    is_breach: bool
    query: str


def forecasts_of(
    found: AlertRule, loki: LokiClient | None, prometheus: PrometheusClient | None
) -> Sequence[Forecast] | None:
    """What one alert's rule foresees, the most urgent first; None where its server was not named.

    Raises:
        LokiError, ServerError: the server does not answer.
    """
    samples = values_now(found, loki, prometheus)
    if samples is None:
        return None
    return sorted(_forecasts(found, samples), key=_urgency)


def _urgency(one: Forecast) -> float:
    return -one.share if one.share is not None else one.left_s or 0.0


def _forecasts(found: AlertRule, samples: Sequence[VectorSample]) -> Iterator[Forecast]:
    what, unit_s = FORECASTS[found.rule.name]
    limit = found.limit
    for sample in samples:
        is_below = limit is not None and limit.op.startswith("<")
        yield Forecast(
            what,
            found.rule.name,
            {name: text for name, text in sorted(sample.labels.items()) if name != "__name__"},
            sample.value * unit_s if unit_s is not None else None,
            sample.value if unit_s is None else None,
            limit.value * unit_s if limit is not None and unit_s is not None else None,
            limit.value if limit is not None and unit_s is None else None,
            limit is not None and (sample.value < limit.value if is_below else sample.value >= limit.value),
            found.value_query,
        )
