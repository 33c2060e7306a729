"""The recording rules are what the schemas ask for, byte by byte."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
import yaml

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules, rules_of
from logging_pkg.pipeline.logql import parse
from logging_pkg.schemas import EventSchema, Metric, Registry, load_registry

PROJECT = Path(__file__).parents[2]
QUANTILE = re.compile(r":p\d\d_")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


@pytest.fixture
def event(registry: Registry) -> EventSchema:
    return registry.events["http.request_finished"]


def metric(**changes: object) -> Metric:
    values = {"name": "m", "kind": "counter", "field": None, "unit": "1", "by": (), "window": None, "description": "M."}
    return Metric(**{**values, **changes})


def test_the_committed_file_is_what_the_schemas_ask_for(registry: Registry) -> None:
    """Golden: loki/rules/recording.yaml is committed and up to date."""
    assert (PROJECT / RECORDING_RULES).read_text() == recording_rules(registry)


def test_the_same_schemas_give_the_same_bytes_in_any_order(registry: Registry) -> None:
    """Neither time nor the order in which files were found shows in the text."""
    names = list(registry.events)
    random.shuffle(names)
    shuffled = replace(registry, events=MappingProxyType({name: registry.events[name] for name in names}))
    assert recording_rules(shuffled) == recording_rules(registry)


def test_every_metric_of_every_schema_has_its_rules(registry: Registry) -> None:
    """Three for a histogram, one for anything else, none besides."""
    wanted = sum(3 if item.kind == "histogram" else 1 for event in registry.events.values() for item in event.metrics)
    groups = yaml.safe_load(recording_rules(registry))["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) == wanted
    assert len({rule["record"] for rule in rules}) == wanted
    for rule in rules:
        parse(rule["expr"])


def test_short_windows_are_looked_at_often_and_long_ones_seldom(registry: Registry) -> None:
    """A quota's minute every 15 s, 5 minutes once a minute, what is longer every 2; and each metric at its own interval."""
    groups = yaml.safe_load(recording_rules(registry))["groups"]
    by_window: dict[str, set[str]] = {}
    for group in groups:
        _event, window, *own = group["name"].split(":")
        by_window.setdefault(window, set()).add(group["interval"])
        quantiles = [rule["record"] for rule in group["rules"] if QUANTILE.search(rule["record"])]
        assert len(quantiles) in {0, len(group["rules"])}, "quantiles wait for nothing, and nothing for them"
        name = own.pop() if quantiles else ""
        assert own in ([], [group["interval"]])
        assert all(name in record for record in quantiles)
    assert by_window == {"1m": {"15s"}, "5m": {"1m", "2m", "4m"}, "1h": {"2m"}, "25h": {"2m"}}
    recorded = {rule["record"]: group["interval"] for group in groups for rule in group["rules"]}
    assert recorded["route_method_status_class:http_requests:rate_5m"] == "2m"
    assert recorded["route:http_response_time_ms:p95_5m"] == "2m"
    assert recorded["route:http_apdex_ratio:avg_5m"] == "4m"


@pytest.mark.parametrize(("window", "interval"), [("1m", "61s"), ("5m", "5m"), ("1h", "241s")])
def test_an_interval_leaves_no_line_unread_and_no_gap_in_prometheus(
    registry: Registry, window: str, interval: str
) -> None:
    """Not longer than the window, and shorter than the five minutes for which Prometheus shows a sample."""
    event = registry.events["http.request_finished"]
    with pytest.raises(RuleError, match=rf'interval "{interval}" of m, expected no more than its window \({window}\)'):
        rules_of(event, metric(window=window, interval=interval))
    assert rules_of(event, metric(window=window, interval="1m"))


@pytest.mark.parametrize(
    ("changes", "record", "expr"),
    [
        (
            {"by": ("route",)},
            ["route:m:rate_5m"],
            'sum by (service_name, env, route) ( rate( {event="http.request_finished"} | json route="route" [5m] offset 30s ) )',
        ),
        (
            {"field": "query_count", "window": "1m"},
            ["service:m:sum_1m"],
            (
                'sum by (service_name, env) ( sum_over_time( {event="http.request_finished"} | json query_count="query_count" '
                '| unwrap query_count | __error__="" [1m] offset 30s ) )'
            ),
        ),
        (
            {"kind": "gauge", "field": "apdex", "unit": "ratio", "by": ("level",)},
            ["level:m_ratio:avg_5m"],
            (
                'avg_over_time( {event="http.request_finished"} | json apdex="apdex" | unwrap apdex | __error__="" '
                "[5m] offset 30s ) by (service_name, env, level)"
            ),
        ),
        (
            {"kind": "histogram", "name": "m_ms", "field": "response_time_ms", "unit": "ms", "by": ("route", "method")},
            ["route_method:m_ms:p50_5m", "route_method:m_ms:p95_5m", "route_method:m_ms:p99_5m"],
            (
                'quantile_over_time(0.50, {event="http.request_finished"} | json route="route", method="method", '
                'response_time_ms="response_time_ms" | unwrap response_time_ms | __error__="" [5m] offset 30s ) '
                "by (service_name, env, route, method)"
            ),
        ),
    ],
)
def test_each_kind_of_metric(event: EventSchema, changes: dict[str, object], record: list[str], expr: str) -> None:
    """Counter, counter of a field, gauge, histogram; a unit stands in the name once; `level` is no JSON key."""
    rules = rules_of(event, metric(**changes))
    assert [rule.record for rule in rules] == record
    assert re.sub(r"\s+", " ", rules[0].expr) == expr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "Bad-Name"}, 'name "Bad-Name" is not lower case'),
        ({"unit": "m/s"}, 'unit "m/s" is not lower case'),
        ({"by": ("offset",)}, '"offset" cannot be a LogQL label; rename the field'),
        ({"window": "5 minutes"}, 'window "5 minutes" is not a duration such as 5m'),
    ],
)
def test_what_cannot_be_a_rule_is_refused_naming_the_file(
    event: EventSchema, changes: dict[str, object], message: str
) -> None:
    """The message names the schema file, the value and what to change."""
    with pytest.raises(RuleError) as caught:
        rules_of(event, metric(**changes))
    assert str(caught.value).startswith(str(event.path))
    assert message in str(caught.value)


def test_two_metrics_of_one_series_are_refused(registry: Registry, event: EventSchema) -> None:
    """Their samples would overwrite each other."""
    twice = replace(event, metrics=(metric(), metric()))
    with pytest.raises(
        RuleError, match=r"records service:m:rate_5m, which http\.request_finished\.json records already"
    ):
        recording_rules(replace(registry, events={event.name: twice}))
