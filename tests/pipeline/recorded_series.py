"""Which series Loki records, how often, and which of them an expression of Prometheus rests on.

In: the project's rule files. Out: names and intervals. Never: a server.
"""

from __future__ import annotations

import re

from tests.pipeline.onsets import RECORDED_MIN, groups

#: Seconds between two samples of each series that Loki records.
RECORDED_S = {name: 60 * minutes for name, minutes in RECORDED_MIN.items()}
_DERIVED: dict[str, set[str]] = {}
for _group in groups("prometheus_rules"):
    for _rule in _group["rules"]:
        if "record" in _rule:
            _DERIVED.setdefault(_rule["record"], set()).add(str(_rule["expr"]))


def loki_series(expression: str, seen: frozenset[str] = frozenset()) -> set[str]:
    """Every series recorded by Loki that a PromQL expression rests on."""
    names = set(re.findall(r"\w+:\w+(?::\w+)?", expression)) - seen
    own = names & RECORDED_S.keys()
    return own.union(*(loki_series(one, seen | names) for name in names for one in _DERIVED.get(name, ())))
