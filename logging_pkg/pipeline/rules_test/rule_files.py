"""Rules as they are written in rule files, anybody's.

In: paths of Loki rule files. Out: Rules by name; several may share one. Never: judges them, that is `logpipe check`'s.
"""

from __future__ import annotations

from pathlib import Path

from logging_pkg.pipeline.rules_test.document import Node, read_document
from logging_pkg.pipeline.rules_test.model import Rule

_FILE_KEYS = ("groups", "namespace")
_GROUP_KEYS = ("name", "interval", "limit", "rules", "query_offset", "labels", "source_tenants", "remote_write")
_RULE_KEYS = ("record", "alert", "expr", "for", "labels", "annotations", "keep_firing_for", "query_offset")


def read_rules(path: Path, shown: str) -> list[Rule]:
    """The rules of a file in order.

    Raises:
        RuleTestError: it is no rule file.
    """
    root = read_document(path, shown).keys(_FILE_KEYS, required=("groups",))
    rules = []
    for group in root["groups"].items():
        entries = group.keys(_GROUP_KEYS, required=("name", "rules"))
        interval_ns = entries["interval"].duration(at_least=1) if "interval" in entries else None
        rules += [_rule(node, interval_ns) for node in entries["rules"].items()]
    return rules


def _rule(node: Node, interval_ns: int | None) -> Rule:
    entries = node.keys(_RULE_KEYS, required=("expr",))
    if ("alert" in entries) == ("record" in entries):
        raise node.error('expected either "alert" or "record" in a rule')
    return Rule(
        name=(entries.get("alert") or entries["record"]).text(),
        is_alert="alert" in entries,
        expr=entries["expr"].text(),
        labels=_texts(entries.get("labels")),
        annotations=_texts(entries.get("annotations")),
        for_ns=entries["for"].duration(at_least=0) if "for" in entries else 0,
        interval_ns=interval_ns,
        file=node.file,
        line=node.line,
    )


def _texts(node: Node | None) -> dict[str, str]:
    return node.texts() if node is not None and node.value is not None else {}
