"""Which events a question is about.

In: labels and fields. Out: a Scope. Never: I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from logging_pkg.analysis.tables import as_label


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events: those whose stream labels (`service_name`, `env`) and fields (`release`) have these texts."""

    labels: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)

    def fits(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is one of them."""
        return all(as_label(event.get(name)) == value for name, value in (*self.labels.items(), *self.fields.items()))
