"""Every file that follows from the schemas and from what is written by hand.

In: a schema registry, the project's directory. Out: the files' texts. Never: writes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from logging_pkg.pipeline.dashboards.build import DASHBOARDS_DIRECTORY, dashboards
from logging_pkg.pipeline.dashboards.rule_book import rule_book
from logging_pkg.pipeline.events_document import EVENTS_DOCUMENT, events_document
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules
from logging_pkg.pipeline.metrics_document import METRICS_DOCUMENT, metrics_document
from logging_pkg.schemas import Registry

#: Rules written by hand, Loki's and Prometheus's; recording.yaml follows from the schemas and is not read.
_RULE_DIRECTORIES: Final = ("loki/rules", "loki/prometheus_rules")
_RUNBOOKS: Final = "docs/runbooks"


@dataclass(frozen=True, slots=True)
class GeneratedFiles:
    """Path within the project -> text, and a sentence for each panel that had to be left out."""

    texts: dict[str, str]
    left_out: tuple[str, ...] = ()


def generated_files(registry: Registry, root: Path) -> GeneratedFiles:
    """The same registry, rules and runbooks give the same bytes. Dashboards are for projects with that directory.

    Raises:
        RuleError: a metric cannot be written as a rule, or two have one name.
        SchemaError: no example can be made of an event.
    """
    texts = {
        RECORDING_RULES: recording_rules(registry),
        EVENTS_DOCUMENT: events_document(registry),
        METRICS_DOCUMENT: metrics_document(registry),
    }
    if not (root / DASHBOARDS_DIRECTORY).is_dir():
        return GeneratedFiles(texts)
    written = [path for name in _RULE_DIRECTORIES for path in sorted((root / name).glob("*.y*ml"))]
    rules = rule_book(_text(path) for path in written if path != root / RECORDING_RULES)
    runbooks = {path.stem: _text(path) for path in sorted((root / _RUNBOOKS).glob("*.md"))}
    made = dashboards(registry, rules, runbooks)
    return GeneratedFiles(texts | dict(made.files), made.left_out)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
