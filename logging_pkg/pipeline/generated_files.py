"""Every file that follows from the schemas and the service level objectives.

In: a schema registry, objectives. Out: the files' texts. Never: reads or writes one.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from logging_pkg.pipeline.events_document import EVENTS_DOCUMENT, events_document
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules
from logging_pkg.pipeline.metrics_document import METRICS_DOCUMENT, metrics_document
from logging_pkg.pipeline.slo import (
    SLO_FILE,
    SLO_LOKI_RULES,
    SLO_PROMETHEUS_RULES,
    Slo,
    read_slos,
    slo_loki_rules,
    slo_prometheus_rules,
)
from logging_pkg.schemas import Registry


def objectives_of(root: Path, registry: Registry) -> list[Slo]:
    """The objectives of a project; none where it has no loki/slos.yaml.

    Raises:
        RuleError: the file is broken.
    """
    path = root / SLO_FILE
    return read_slos(path, SLO_FILE, registry) if path.is_file() else []


def generated_rules(registry: Registry, slos: Sequence[Slo]) -> dict[str, str]:
    """The rule files alone, path within the project -> text.

    Raises:
        RuleError: a metric cannot be written as a rule, or two have one name.
    """
    files = {RECORDING_RULES: recording_rules(registry)}
    if slos:
        files |= {SLO_LOKI_RULES: slo_loki_rules(slos), SLO_PROMETHEUS_RULES: slo_prometheus_rules(slos)}
    return files


def generated_files(registry: Registry, slos: Sequence[Slo] = ()) -> dict[str, str]:
    """Path within the project -> text; the same registry gives the same bytes.

    Raises:
        RuleError: a metric cannot be written as a rule, or two have one name.
        SchemaError: no example can be made of an event.
    """
    return {
        **generated_rules(registry, slos),
        EVENTS_DOCUMENT: events_document(registry),
        METRICS_DOCUMENT: metrics_document(registry),
    }
