"""What databases answer to EXPLAIN, as one list of nodes, and what is wrong with it.

In: PostgreSQL's JSON plan, SQLite's rows of EXPLAIN QUERY PLAN, facts about the tables. Out: nodes and findings.
Never: asks a database; lets a literal of the statement through (conditions are normalised, unknown keys dropped).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from logging_pkg.instrumentation.database.sql import fingerprint

#: Nodes and findings of one plan at most; a plan of a hundred partitions tells nothing more.
MAX_NODES = 60
MAX_FINDINGS = 20
_MAX_TEXT = 300
#: A condition that keeps more of a table than this is served as well by reading all of it.
_SELECTIVE_SHARE = 0.2

_CONDITIONS = ("Index Cond", "Recheck Cond", "Hash Cond", "Merge Cond", "Join Filter", "Filter")
_KEYS = ("Sort Key", "Group Key")

_NAME = r'(?:"[^"]+"|`[^`]+`|[^\W\d]\w*)'
_COLUMN = rf"(?:{_NAME}\.)?{_NAME}"
_CAST = r"(?:::[\w ]+?(?:\(\?…?\))?(?:\[\])?)?"
_TERM = rf"(?:\({_COLUMN}\)|{_COLUMN}|\?){_CAST}"
#: `a = b`, `a = ANY (…`, `a IN (…`, `a BETWEEN …`; not of a function's result, which an index of the column does not
#: hold.
_COMPARISON = re.compile(
    rf"(?<![\w.:\"`)?])(?P<left>{_TERM})\s*(?:(?:(?P<range><=|>=|<|>)|==?)\s*(?:ANY\s*\()?(?P<right>{_TERM})(?![\w(])|(?:IN\s*\(|(?P<between>BETWEEN)\s))",
    re.IGNORECASE,
)
_TABLE = re.compile(rf"\b(?:FROM|JOIN|,)\s*\(?\s*({_NAME})\s+(?:AS\s+)?({_NAME})", re.IGNORECASE)

_SQLITE_ACCESS = re.compile(
    r"(?P<node>SCAN|SEARCH)(?: TABLE| SUBQUERY)? (?P<name>.+?)(?: AS (?P<alias>\S+))?"
    r"(?: (?P<using>USING (?:(?P<automatic>AUTOMATIC )?(?:PARTIAL )?(?:COVERING )?INDEX(?: (?P<index>[^\s(]+))?"
    r"|INTEGER PRIMARY KEY)|VIRTUAL TABLE INDEX .*)(?: ?\((?P<condition>.*)\))?)?(?: LEFT-JOIN)?"
)
_SQLITE_OTHER = re.compile(
    r"USE TEMP B-TREE FOR [A-Z0-9 ]+|SCAN \d* ?CONSTANT ROWS?|COMPOUND (?:QUERY|SUBQUERIES)[A-Z ]*|LEFT-MOST SUBQUERY"
    r"|(?:UNION ALL|UNION|INTERSECT|EXCEPT)(?: USING TEMP B-TREE)?|MERGE \([A-Z ]+\)|LEFT|RIGHT"
    r"|(?:CO-ROUTINE|MATERIALIZE)|(?:REUSE )?(?:CORRELATED )?(?:SCALAR|LIST) SUBQUERY|MULTI-INDEX OR|INDEX|SETUP"
    r"|RECURSIVE STEP|BLOOM FILTER|RIGHT-JOIN"
)
_CONSTANT_ROWS = re.compile(r"SCAN (?:\d+ )?CONSTANT ROWS?")


@dataclass(frozen=True, slots=True)
class Node:
    """One step of a plan.

    Attributes:
        depth: 0 at the top.
        kind: the database's name of the step.
        relation: table it reads.
        index: index it uses.
        rows: rows it yields, as the planner estimates; None where it does not say (SQLite).
        cost: estimated, in the planner's own unit.
        condition: normalised.
        columns: columns of the relation that its rows are filtered by, without an index's help.
        is_scan: whether it reads all of the relation.
        is_automatic: whether the index is made for this query alone and thrown away.
        sorts: what it sorts for: `order_by`, `group_by`, `distinct`, `set_operation`.
    """

    depth: int
    kind: str
    relation: str | None = None
    index: str | None = None
    rows: float | None = None
    cost: float | None = None
    condition: str | None = None
    columns: tuple[str, ...] = ()
    is_scan: bool = False
    is_automatic: bool = False
    sorts: str | None = None

    def fields(self) -> dict[str, Any]:
        """As an event's `plan` entry."""
        return {
            "depth": self.depth,
            "node": self.kind,
            "relation": self.relation,
            "index": self.index,
            "rows": self.rows,
            "cost": self.cost,
            "condition": self.condition,
        }


@dataclass(frozen=True, slots=True)
class Table:
    """Facts about a table a plan reads: its rows, its columns, those that some index begins with."""

    rows: float
    columns: frozenset[str] = field(default_factory=frozenset)
    indexed: frozenset[str] = field(default_factory=frozenset)


def postgresql_nodes(plan: Mapping[str, Any], depth: int = 0) -> Iterator[Node]:
    """The nodes of `EXPLAIN (FORMAT JSON, VERBOSE)`, parents first.

    Args:
        plan: the object below `Plan`.
        depth: of its root in what is told.
    """
    kind = str(plan.get("Node Type", ""))
    scanned = str(plan.get("Filter", ""))
    conditions = [str(plan[key]) for key in _CONDITIONS if key in plan]
    conditions += [", ".join(map(str, plan[key])) for key in _KEYS if key in plan]
    yield Node(
        depth=depth,
        kind=_cut(kind) or "",
        relation=_cut(plan.get("Relation Name")),
        index=_cut(plan.get("Index Name")),
        rows=plan.get("Plan Rows"),
        cost=plan.get("Total Cost"),
        condition=_normalised("; ".join(conditions)),
        columns=_compared_columns(fingerprint(scanned), str(plan.get("Alias", "")), joined=True),
        is_scan=kind == "Seq Scan" or (kind in {"Index Scan", "Index Only Scan"} and "Index Cond" not in plan),
        sorts="order_by" if kind in {"Sort", "Incremental Sort"} else None,
    )
    for child in plan.get("Plans", ()):
        yield from postgresql_nodes(child, depth + 1)


def sqlite_nodes(rows: Iterable[tuple[int, int, str]], shape: str) -> Iterator[Node]:
    """The nodes of EXPLAIN QUERY PLAN, in SQLite's order.

    Args:
        rows: id, parent's id and detail, in the wording of any SQLite from 3.24.
        shape: fingerprint of the statement, which knows the tables' aliases and what they are filtered by.
    """
    aliases = {_bare(alias): _bare(table) for table, alias in _TABLE.findall(shape)}
    depths: dict[int, int] = {0: -1}
    correlated: dict[int, bool] = {}
    loops: set[int] = set()
    for row, parent, detail in rows:
        depth = depths[row] = depths.get(parent, -1) + 1
        correlated[row] = correlated.get(parent, False) or detail.startswith("CORRELATED")
        access = None if _CONSTANT_ROWS.match(detail) else _SQLITE_ACCESS.fullmatch(detail)
        if access is None:
            other = _SQLITE_OTHER.match(detail)
            yield Node(depth, other[0] if other else "OTHER", sorts=_sorts(detail))
            continue
        shown = _bare(access["name"])
        alias = _bare(access["alias"] or shown)
        # The first loop of a level runs once; those within it, and all of a correlated subquery, once per row.
        joined = parent in loops or correlated[row]
        loops.add(parent)
        using = access["using"]
        condition = _normalised(access["condition"] or "")
        automatic = access["automatic"] is not None
        if automatic:
            columns = tuple(_bare(name) for name in re.findall(rf"({_NAME})\s*[=<>]", condition or ""))
        else:
            columns = _compared_columns(shape, alias, joined=joined)
        is_virtual = using is not None and using.startswith("VIRTUAL")
        yield Node(
            depth=depth,
            kind=access["node"],
            relation=_cut(shown if access["alias"] else aliases.get(alias, shown)),
            index=_cut(access["index"]),
            condition=condition,
            columns=columns,
            is_scan=not is_virtual and (access["node"] == "SCAN" or using is None),
            is_automatic=automatic,
        )


def findings_of(nodes: Iterable[Node], tables: Mapping[str, Table], min_rows: float) -> list[dict[str, Any]]:
    """What is wrong with a plan, as an event's `findings`.

    Args:
        nodes: the plan.
        tables: facts about the relations it scans; a relation that is missing here is no table.
        min_rows: tables and sorts of no more rows than this are fine.
    """
    found: list[dict[str, Any]] = []

    def add(kind: str, node: Node, rows: float | None = None, columns: tuple[str, ...] = ()) -> None:
        entry = {
            "kind": kind,
            "relation": node.relation,
            "rows": rows,
            "columns": list(columns)[:10],
            "purpose": node.sorts,
        }
        if entry not in found and len(found) < MAX_FINDINGS:
            found.append(entry)

    for node in nodes:
        table = tables.get(node.relation or "")
        if node.sorts is not None and node.rows is None:
            add("temporary_b_tree", node)
        elif node.sorts is not None and (node.rows or 0) > min_rows:
            add("sort", node, node.rows)
        if node.is_automatic:
            add("automatic_index", node, table.rows if table else None, node.columns)
        if table is None or table.rows <= min_rows:
            continue
        if node.is_scan:
            add("full_scan", node, table.rows)
        missing = tuple(name for name in node.columns if name in table.columns and name not in table.indexed)
        keeps_little = node.rows is None or node.rows <= table.rows * _SELECTIVE_SHARE
        if missing and keeps_little and (node.is_scan or node.is_automatic):
            add("missing_index_candidate", node, table.rows, missing)
    return found


def _sorts(detail: str) -> str | None:
    if "TEMP B-TREE" not in detail:
        return None
    for words, purpose in (("GROUP BY", "group_by"), ("ORDER BY", "order_by"), ("DISTINCT", "distinct")):
        if words in detail:
            return purpose
    return "set_operation"


def _compared_columns(shape: str, alias: str, *, joined: bool) -> tuple[str, ...]:
    """Columns of `alias` (or of none said) that a condition compares with a value; if `joined`, also with another's."""
    start = re.search(r"\bFROM\b", shape, re.IGNORECASE)
    equal: dict[str, None] = {}
    others: dict[str, None] = {}
    for match in _COMPARISON.finditer(shape, start.end() if start else 0):
        if shape[: match.start()].rstrip("( ").upper().endswith(" NOT"):
            continue
        left, right = _split(match["left"]), _split(match["right"])
        for side, other in ((left, right), (right, left)):
            if side is None or side[0] not in {"", alias}:
                continue
            if other is None or (joined and other[0] not in {"", alias}):
                (others if match["range"] or match["between"] else equal)[side[1]] = None
    # An index serves equal values of its first columns and a range of the next one.
    return tuple(equal | others)


def _split(term: str | None) -> tuple[str, str] | None:
    """Table and column of a term; None when it is a value."""
    if term is None or term.startswith("?"):
        return None
    names = re.findall(_NAME, term.partition("::")[0])
    return (_bare(names[0]) if len(names) > 1 else "", _bare(names[-1]))


def _bare(name: str) -> str:
    return name.strip('"`')


def _cut(text: Any) -> str | None:
    return None if text is None else str(text)[:_MAX_TEXT]


def _normalised(condition: str) -> str | None:
    return _cut(fingerprint(condition)) if condition else None
