"""Loki's part of the objectives: how many events there were in each minute, and how many of them were bad.

In: Slos. Out: the text of loki/rules/slos.yaml. Never: a longer window. Each line is read once per rule; all
windows are sums of these counts, in Prometheus (docs/adr/0061: what the same costs as LogQL windows of up to an hour).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from logging_pkg.pipeline.slo.model import Slo
from logging_pkg.schemas.conventions import STREAM_LABELS, STRUCTURED_METADATA

#: The generated file, relative to the project.
SLO_LOKI_RULES: Final = "loki/rules/slos.yaml"
#: Window and interval are the same, so that the counts of all evaluations add up to each line once.
_WINDOW: Final = "1m"
_OFFSET: Final = "30s"
_HEADER: Final = """\
# Generated from loki/slos.yaml by `logpipe generate`. Do not edit: change that file and run it again.
#
# Window and interval are equal: the minutes of a series add up to every line once. Prometheus adds them up over
# 5 minutes to the objective's window (loki/prometheus_rules/slos.yaml). No bad events, no series:
# the sums take that as 0.
"""


def slo_loki_rules(slos: Sequence[Slo]) -> str:
    """The text of loki/rules/slos.yaml: the same objectives give the same bytes."""
    return _HEADER + "groups:\n" + "\n".join(map(_group, slos))


def line_filter(slo: Slo, *, only_bad: bool) -> str:
    """The stages that let through an objective's events, or its bad ones; empty where that is every line."""
    fields = [*slo.where, *([slo.field] if only_bad else [])]
    keys = [field for field in dict.fromkeys(fields) if field not in (*STREAM_LABELS, *STRUCTURED_METADATA)]
    stages = ["| json " + ", ".join(f'{key}="{key}"' for key in keys)] if keys else []
    stages += [f"| {condition}" for condition in map(_condition, slo.where, slo.where.values())]
    stages += [f"| {slo.bad}"] if only_bad else []
    return " ".join(stages)


def _condition(field: str, values: tuple[str, ...] | str) -> str:
    if isinstance(values, str):
        return f'{field}=~"{values}"'
    return " or ".join(f'{field}="{value}"' for value in values)


def _group(slo: Slo) -> str:
    lines = [f"  # {slo.description}", f"  - name: slo:{slo.name}", f"    interval: {_WINDOW}", "    rules:"]
    for record, only_bad in ((slo.events_series, False), (slo.bad_events_series, True)):
        stages = line_filter(slo, only_bad=only_bad)
        # A line that is torn, or has a text in place of the number, would fail the whole rule.
        stages = f' {stages} | __error__=""' if stages else ""
        lines += [
            f"      - record: {json.dumps(record)}",
            "        expr: |-",
            "          sum by (service_name, env) (",
            f'            count_over_time({{event="{slo.event}"}}{stages} [{_WINDOW}] offset {_OFFSET})',
            "          )",
            f"        labels: {{slo: {slo.name}}}",
        ]
    return "\n".join(lines) + "\n"
