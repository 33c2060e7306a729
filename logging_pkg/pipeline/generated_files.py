"""Every file that follows from the schemas.

In: a schema registry. Out: the files' texts. Never: reads or writes one.
"""

from __future__ import annotations

from logging_pkg.pipeline.events_document import EVENTS_DOCUMENT, events_document
from logging_pkg.pipeline.generate import RECORDING_RULES, recording_rules
from logging_pkg.pipeline.metrics_document import METRICS_DOCUMENT, metrics_document
from logging_pkg.schemas import Registry


def generated_files(registry: Registry) -> dict[str, str]:
    """Path within the project -> text; the same registry gives the same bytes.

    Raises:
        RuleError: a metric cannot be written as a rule, or two have one name.
        SchemaError: no example can be made of an event.
    """
    return {
        RECORDING_RULES: recording_rules(registry),
        EVENTS_DOCUMENT: events_document(registry),
        METRICS_DOCUMENT: metrics_document(registry),
    }
