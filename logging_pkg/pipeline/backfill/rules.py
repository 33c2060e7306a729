"""The recording rules of a directory, with what their groups say.

In: rule files. Out: groups of recording rules. Never: alert rules; the ALERTS series tells what was sent, and in a
gap nothing was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from logging_pkg.exceptions import RuleError
from logging_pkg.pipeline.logql.tokens import LogQLError, duration_ns, tokenize
from logging_pkg.stack.render import read_rules


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """One rule; `place` names its file and group in messages."""

    record: str
    expr: str
    labels: Mapping[str, str]
    place: str


@dataclass(frozen=True, slots=True)
class Group:
    """The recording rules of one group; `interval_ns` None where it sets none."""

    file: str
    name: str
    interval_ns: int | None
    rules: tuple[RecordingRule, ...]


def recording_groups(directory: Path) -> list[Group]:
    """The groups that record something, of all rule files in a directory.

    Raises:
        StackError: a file cannot be read or is no rule file.
        RuleError: an interval is no duration, or nothing is recorded.
    """
    groups = []
    for file, document in read_rules(directory).items():
        for group in document["groups"]:
            place = f"{directory / file}: {group['name']}"
            rules = tuple(
                RecordingRule(str(rule["record"]), str(rule["expr"]), _texts(rule.get("labels")), place)
                for rule in group["rules"]
                if "record" in rule
            )
            if rules:
                groups.append(Group(file, str(group["name"]), _interval_ns(group.get("interval"), place), rules))
    if not groups:
        raise RuleError(f"{directory}: no rule records anything; expected a directory of Loki's rule files")
    return groups


def require_names(names: Sequence[str], groups: Sequence[Group], directory: Path) -> None:
    """Refuse a name that nothing records.

    Raises:
        RuleError: neither a rule of the directory nor one of Prometheus does.
    """
    if missing := set(names) - {rule.record for group in groups for rule in group.rules}:
        raise RuleError(
            f"no rule records {min(missing)}, neither in {directory} nor in Prometheus; "
            "expected the name of a series, as after `record:`"
        )


def only(groups: Sequence[Group], names: Sequence[str]) -> list[Group]:
    """The groups with those of their rules that record one of these series; all of them, where there are no names."""
    chosen = [replace(group, rules=tuple(r for r in group.rules if not names or r.record in names)) for group in groups]
    return [group for group in chosen if group.rules]


def longest_reach_ns(groups: Sequence[Group]) -> int:
    """How far back the furthest window of all rules begins, ns before the evaluation."""
    reach = 0
    for group in groups:
        for rule in group.rules:
            try:
                tokens = tokenize(rule.expr)
            except LogQLError as error:
                raise RuleError(f"{rule.place}: {rule.record}: {error}") from None
            for number, token in enumerate(tokens):
                if token.kind == "range":
                    offset = tokens[number + 2].value if tokens[number + 1].text == "offset" else 0.0
                    reach = max(reach, round((float(token.value) + float(offset)) * 1_000) * 1_000_000)
    return reach


def _texts(labels: Mapping[str, object] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (labels or {}).items()}


def _interval_ns(value: object, place: str) -> int | None:
    if value is None:
        return None
    try:
        interval_ns = duration_ns(str(value))
    except LogQLError:
        interval_ns = 0
    if interval_ns <= 0:
        raise RuleError(f"{place}: interval {value!r}, expected a duration such as 30s or 1m")
    return interval_ns
