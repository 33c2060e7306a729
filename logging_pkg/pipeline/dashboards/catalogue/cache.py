"""Cache: does it help, is it full, did warming pay.

In: nothing. Out: CACHE. Never: a key.
"""

from __future__ import annotations

from typing import Final

from logging_pkg.pipeline.dashboards.catalogue import guides
from logging_pkg.pipeline.dashboards.catalogue.baselines import Compared, beside_baseline
from logging_pkg.pipeline.dashboards.catalogue.requests import ROUTE_VARIABLE
from logging_pkg.pipeline.dashboards.model import CHOSEN, Dashboard, MetricPanel, Panel, Query, Row

_USAGE: Final = "cache.usage_reported"
_WARM: Final = "cache.warm_finished"
_HITS: Final = f"alias:cache_hits:sum_5m{{{CHOSEN}}}"
_MISSES: Final = f"alias:cache_misses:sum_5m{{{CHOSEN}}}"
_ROUTE: Final = f'{CHOSEN}, route=~"$route"'
_ROUTE_HITS: Final = f"route:http_cache_hits:sum_5m{{{_ROUTE}}}"
_ROUTE_MISSES: Final = f"route:http_cache_misses:sum_5m{{{_ROUTE}}}"
_AMOUNT: Final = "it follows the number of requests; the hit rates above are judged."
_WARMED: Final = "a warming run that fails costs speed and nothing else; the hit rates above are judged."
_NOTHING: Final = "No cache was used"
_NOT_WARMED: Final = "No warming run"


def _hit_rate(hits: str, misses: str) -> str:
    return f"sum by (alias) ({hits}) / (sum by (alias) ({hits}) + sum by (alias) ({misses}))"


CACHE: Final = Dashboard(
    uid="cache",
    title="Cache",
    description="Does the cache help, for which routes, is it full, and did warming it pay.",
    guide=guides.CACHE,
    variables=(ROUTE_VARIABLE,),
    rows=(
        Row(
            "Hits",
            (
                Panel(
                    "Hit rate, by cache",
                    "Share of keys asked for that were found: over 5 minutes, and over the hour that ended 15 minutes "
                    "before.",
                    (
                        Query(_hit_rate(_HITS, _MISSES), "{{alias}}"),
                        Query(
                            _hit_rate(*(f"sum_over_time({series}[1h] offset 15m)" for series in (_HITS, _MISSES))),
                            "{{alias}} the hour before",
                            may_be_empty="the hour before ended a quarter of an hour ago",
                        ),
                    ),
                    unit="percentunit",
                    logs=f'{{event="{_USAGE}", {CHOSEN}}}',
                    runbooks=("CacheHitRatioDropped",),
                    empty=_NOTHING,
                    no_limit="CacheHitRatioDropped compares each cache with the hour before.",
                ),
                Panel(
                    "Hit rate, by route",
                    "The same for what requests asked for; a route below the others asks for keys nobody keeps.",
                    (
                        Query(
                            f"sum by (route) ({_ROUTE_HITS}) "
                            f"/ (sum by (route) ({_ROUTE_HITS}) + sum by (route) ({_ROUTE_MISSES}) > 0)",
                            "{{route}}",
                        ),
                    ),
                    unit="percentunit",
                    logs=f'{{event="http.request_finished", {CHOSEN}}} '
                    '| json route="route", cache_miss_count="cache_miss_count" '
                    '| route=~"$route" | cache_miss_count!="" | cache_miss_count > 0',
                    runbooks=("RouteCacheHitRatioDropped",),
                    empty=_NOTHING,
                    no_limit="RouteCacheHitRatioDropped compares each route with its own week, below.",
                ),
                MetricPanel(
                    _USAGE,
                    "cache_hits",
                    empty=_NOTHING,
                    width=8,
                    no_limit=_AMOUNT,
                ),
                MetricPanel(
                    _USAGE,
                    "cache_misses",
                    empty=_NOTHING,
                    width=8,
                    no_limit=_AMOUNT,
                ),
                MetricPanel(
                    _USAGE,
                    "cache_time",
                    empty=_NOTHING,
                    width=8,
                    no_limit=_AMOUNT,
                ),
                MetricPanel(
                    "http.request_finished",
                    "http_cache_time",
                    width=8,
                    no_limit=_AMOUNT,
                ),
                MetricPanel(
                    "http.request_finished",
                    "http_cache_hits",
                    width=8,
                    no_limit=_AMOUNT,
                ),
                MetricPanel(
                    "http.request_finished",
                    "http_cache_misses",
                    width=8,
                    no_limit=_AMOUNT,
                ),
            ),
        ),
        beside_baseline(
            "route:http_cache_hit_ratio:baseline_1h",
            Compared(
                "Hit rate beside its baseline, by route",
                "RouteCacheHitRatioDropped",
                "route",
                f"route:http_cache_hit_ratio:quartile_45m{{{_ROUTE}}}",
                f"(route:http_cache_hits:sum_5m{{{_ROUTE}}} / (route:http_cache_hits:sum_5m{{{_ROUTE}}} "
                f"+ route:http_cache_misses:sum_5m{{{_ROUTE}}} > 0))[45m:1m]",
                f"route:http_cache_hit_ratio:baseline_1h{{{_ROUTE}}}",
                f"route:http_cache_hit_ratio:noise_1w{{{_ROUTE}}}",
                unit="percentunit",
                logs='{event="http.request_finished", '
                f'{CHOSEN}}} | json route="route", cache_hit_count="cache_hit_count", '
                'cache_miss_count="cache_miss_count" | route=~"$route"',
                bound="at most",
            ),
        ),
        Row(
            "Size",
            (
                MetricPanel(
                    _USAGE,
                    "cache_size",
                    empty="No cache tells its size",
                    no_limit="a cache may be full: it is when the hit rate falls with it that it is too small.",
                ),
                MetricPanel(
                    _USAGE,
                    "cache_keys",
                    empty="No cache tells its number of keys",
                    no_limit="a cache may be full: it is when the hit rate falls with it that it is too small.",
                ),
            ),
        ),
        Row(
            "Warming",
            (
                MetricPanel(
                    _WARM,
                    "cache_warm_success_ratio",
                    empty=_NOT_WARMED,
                    no_limit=_WARMED,
                ),
                MetricPanel(
                    _WARM,
                    "cache_warm_runs",
                    empty=_NOT_WARMED,
                    is_stacked=True,
                    no_limit=_WARMED,
                ),
                MetricPanel(
                    _WARM,
                    "cache_keys_warmed",
                    empty=_NOT_WARMED,
                    width=8,
                    no_limit=_WARMED,
                ),
                MetricPanel(
                    "cache.warmed_keys_read",
                    "cache_warmed_keys_read",
                    empty="No warmed key was read",
                    width=8,
                    no_limit=_WARMED,
                ),
                MetricPanel(
                    _WARM,
                    "cache_warm_duration",
                    empty=_NOT_WARMED,
                    only=("p95",),
                    width=8,
                    no_limit=_WARMED,
                ),
            ),
        ),
    ),
)
