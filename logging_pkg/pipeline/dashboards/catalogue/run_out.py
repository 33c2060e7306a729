"""When does it run out: what the forecasting alerts foresee, at the rate of an hour and of a day.

In: nothing. Out: ROW. Never: a forecast of another kind than the alerts' (docs/adr/0065).
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.model import CHOSEN, Panel, Query, Row

_DISK_DAYS: Final = "service:log_disk_left_days:deriv_1d"
#: Days; where there is no trend, or a slower one.
_YEAR: Final = 366
_NO_END: Final = (
    f"{_YEAR} stands for no end in sight: nothing fills up, or there is no trend yet, as in the first 12 hours."
)
_NO_TREND: Final = "Nothing fills up, or there is no trend yet"
_SAMPLES: Final = f'{{event="process.sampled", {CHOSEN}}}'
_BY: Final = "by (service_name, env, instance_id)"
#: Variance of half an hour of evenly spaced heartbeats, s²: T² / 12. With less there is no trend.
_LEAST_VARIANCE: Final = 1800**2 // 12
#: Seconds, and what they stand for.
_YEAR_S: Final = 365 * 86_400
_NO_END_YET: Final = (
    "A year stands for no end in sight: nothing fills up, or there is no trend yet, as in the first half hour."
)


def _days_left(by: str, days: str, watched: str) -> Query:
    """The least of the days that are left; a year of whatever is watched and has no trend."""
    return Query(
        f"min by ({by}) (clamp_max({days}{{{CHOSEN}}}, {_YEAR}))"
        f" or min by ({by}) (0 * {watched}{{{CHOSEN}}} + {_YEAR})",
        f"{{{{{by}}}}}",
    )


def _seconds_left(share: str, *, is_used: bool) -> Query:
    """What is left, divided by the slope of the last hour's least squares line, of the process with least time.

    A year of whatever has no trend.

    Args:
        share: field of `process.sampled`, from 0 to 1.
        is_used: whether it is the share that is used; else it is the one that is free.
    """
    lines = f'{_SAMPLES} | json instance_id="instance_id", uptime_s="uptime_s", {share}="{share}" | {share}!=""'

    def hour(statistic: str, field: str, before: str = "") -> str:
        return f'{statistic}({lines}{before} | unwrap {field} | __error__="" [1h]) {_BY}'

    product = " | label_format product=`{{ mulf .uptime_s ." + share + " }}`"
    of_product = hour("avg_over_time", "product", product)
    of_each = f"{hour('avg_over_time', 'uptime_s')} * {hour('avg_over_time', share)}"
    covariance = f"{of_product} - {of_each}" if is_used else f"{of_each} - {of_product}"
    newest = f'{"max" if is_used else "min"}_over_time({lines} | unwrap {share} | __error__="" [5m]) {_BY}'
    left = f"(1 - {newest})" if is_used else newest
    variance = f"({hour('stdvar_over_time', 'uptime_s')} >= {_LEAST_VARIANCE})"
    return Query(
        f"min by (service_name) ({left} * {variance} / ({covariance} > 0))"
        f" or min by (service_name) (0 * {newest} + {_YEAR_S})",
        "{{service_name}}",
    )


ROW: Final = Row(
    "When does it run out",
    (
        Panel(
            "Time until the disk of the logs is full",
            f"From the last hour's trend; of the process with least time. {_NO_END_YET}",
            (_seconds_left("log_disk_free_ratio", is_used=False),),
            kind="bargauge",
            source="loki",
            unit="s",
            logs=_SAMPLES,
            alerts=("DiskFillsUp",),
            empty=_NO_TREND,
        ),
        Panel(
            "Time until the memory is used up",
            f"From the last hour's trend; of the process with least time. {_NO_END_YET} MemoryRunsOut also asks that "
            "half of it is used: below, a program may be warming up.",
            (_seconds_left("memory_used_ratio", is_used=True),),
            kind="bargauge",
            source="loki",
            unit="s",
            logs=_SAMPLES,
            alerts=("MemoryRunsOut",),
            empty=_NO_TREND,
        ),
        Panel(
            "Days until the disk of the logs is full",
            f"From the last day's trend. {_NO_END}",
            (_days_left("service_name", _DISK_DAYS, "service:log_disk_free_bytes:avg_5m"),),
            unit="d",
            logs=_SAMPLES,
            alerts=("DiskFullInDays",),
            empty=_NO_TREND,
        ),
        Panel(
            "Days until a database is full",
            f"From the last day's trend. {_NO_END}",
            (_days_left("alias", "alias:db_size_left_days:deriv_1d", "alias:db_size_bytes:avg_5m"),),
            unit="d",
            logs=f'{{event="db.size_sampled", {CHOSEN}}}',
            alerts=("DatabaseFillsUp",),
            empty=_NO_TREND,
        ),
        Panel(
            "Growth per day, by table",
            "From the last day's trend: which table to look at first.",
            (
                Query(
                    f"topk(20, alias_table:db_table_growth_bytes_per_day:deriv_1d{{{CHOSEN}}})",
                    "{{alias}} {{table}}",
                ),
            ),
            width=24,
            unit="bytes",
            logs=f'{{event="db.table_size_sampled", {CHOSEN}}}',
            empty=_NO_TREND,
            no_limit="DatabaseFillsUp judges the days that are left to the whole database.",
        ),
    ),
    needs=_DISK_DAYS,
)
