"""docs/METRICS.md: every recorded series with where it comes from and what it is called elsewhere."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from types import MappingProxyType

import pytest
import yaml

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.generate import recording_rules
from logging_pkg.pipeline.logql import parse
from logging_pkg.pipeline.metrics_document import metrics_document
from logging_pkg.schemas import load_registry
from logging_pkg.schemas.metric_names import exposed_metric

REGISTRY = load_registry()
TEXT = metrics_document(REGISTRY)
METRICS = {metric.name: (event, metric) for event in REGISTRY.events.values() for metric in event.metrics}


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_metric_has_its_section(name: str) -> None:
    """Kind, event and field, unit, dimensions, names, and LogQL that parses."""
    event, metric = METRICS[name]
    text = TEXT.split(f"\n## {name}\n", 1)[1].split("\n## ", 1)[0]
    assert f"- kind: {metric.kind}\n" in text
    assert f"[{event.name}](EVENTS.md#{event.name.replace('.', '')})" in text
    assert ("- unit: " in text) == (metric.unit != "1")
    assert [dimension for dimension in metric.by if f"`{dimension}`" not in text] == []
    assert f"- in /metrics: `{exposed_metric(metric).name}`, " in text
    (block,) = re.findall(r"^```logql\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for query in block.strip().split("\n\n"):
        parse(query)


def test_all_recorded_series_are_listed_and_no_other() -> None:
    """Those of loki/rules/recording.yaml, in its order."""
    recorded = [
        rule["record"] for group in yaml.safe_load(recording_rules(REGISTRY))["groups"] for rule in group["rules"]
    ]
    assert sorted(re.findall(r"^\| \[([^\]]+)\]\(#", TEXT, re.MULTILINE)) == sorted(recorded)
    assert f"{len(METRICS)} of them in {len(recorded)} recorded series" in " ".join(TEXT.split())


def test_the_same_schemas_give_the_same_bytes_in_any_order() -> None:
    """Neither time nor the order in which files were found shows."""
    names = list(REGISTRY.events)
    random.shuffle(names)
    shuffled = replace(REGISTRY, events=MappingProxyType({name: REGISTRY.events[name] for name in names}))
    assert metrics_document(shuffled) == TEXT


def test_a_name_that_comes_twice_is_refused() -> None:
    """Also where the recorded series would differ."""
    event = REGISTRY.events["sync.run_finished"]
    metric = event.metrics[0]
    twice = replace(event, metrics=(metric, replace(metric, by=())))
    with pytest.raises(RuleError, match="would be sync_runs_total in /metrics"):
        metrics_document(replace(REGISTRY, events={event.name: twice}))
