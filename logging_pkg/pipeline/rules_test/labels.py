"""Label sets: as keys, as text, and those of an alert.

In: labels by name. Out: keys that are equal when the sets are, text as LogQL writes it. Never: a label without a value,
which is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeAlias

Labels: TypeAlias = Mapping[str, str]
#: A label set as a key.
LabelKey: TypeAlias = tuple[tuple[str, str], ...]


def key_of(labels: Labels) -> LabelKey:
    """The label set as a key."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


def labels_text(labels: Labels | LabelKey) -> str:
    """`{a="b", c="d"}`."""
    pairs = labels.items() if isinstance(labels, Mapping) else labels
    return "{" + ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(pairs)) + "}"


def alert_labels(series: Labels, rule_labels: Labels) -> dict[str, str]:
    """Labels of an alert or a recorded series: those of the series without its name, and the rule's own above them."""
    merged = {name: value for name, value in series.items() if name != "__name__"} | dict(rule_labels)
    return {name: value for name, value in merged.items() if value}
