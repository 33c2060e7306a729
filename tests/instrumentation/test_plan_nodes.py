"""Plans as values: what databases answer, in the wording of several versions, and what is found in it."""

from __future__ import annotations

from typing import Any

import pytest

from logging_pkg.instrumentation.database.sql import fingerprint
from logging_pkg.instrumentation.query_plans.nodes import (
    MAX_FINDINGS,
    Node,
    Table,
    findings_of,
    postgresql_nodes,
    sqlite_nodes,
)

PEOPLE = Table(5_000, frozenset({"id", "email", "age"}), frozenset({"id"}))


def sqlite(detail: str, sql: str = "SELECT 1") -> Node:
    (node,) = sqlite_nodes([(2, 0, detail)], fingerprint(sql))
    return node


def kinds(nodes: list[Node], min_rows: float = 1_000) -> list[tuple[str, list[str]]]:
    return [(entry["kind"], entry["columns"]) for entry in findings_of(nodes, {"people": PEOPLE}, min_rows)]


@pytest.mark.parametrize(
    ("detail", "kind", "relation", "index", "condition", "is_scan"),
    [
        ("SCAN people", "SCAN", "people", None, None, True),
        ("SCAN TABLE people", "SCAN", "people", None, None, True),
        ("SCAN TABLE people AS p", "SCAN", "people", None, None, True),
        ("SCAN people USING INDEX by_age", "SCAN", "people", "by_age", None, True),
        ("SCAN people USING COVERING INDEX by_age", "SCAN", "people", "by_age", None, True),
        ("SEARCH people", "SEARCH", "people", None, None, True),
        ("SEARCH people USING INDEX by_age (age>? AND age<?)", "SEARCH", "people", "by_age", "age>? AND age<?", False),
        ("SEARCH TABLE people USING INDEX by_age (age=?)", "SEARCH", "people", "by_age", "age=?", False),
        (
            "SEARCH people USING COVERING INDEX by_age (ANY(a) AND age=?)",
            "SEARCH",
            "people",
            "by_age",
            "ANY(a) AND age=?",
            False,
        ),
        ("SEARCH people USING INTEGER PRIMARY KEY (rowid=?)", "SEARCH", "people", None, "rowid=?", False),
        ("SEARCH people USING INDEX by_age (age=?) LEFT-JOIN", "SEARCH", "people", "by_age", "age=?", False),
        ("SCAN people VIRTUAL TABLE INDEX 0:hunter2", "SCAN", "people", None, None, False),
        ("SCAN CONSTANT ROW", "SCAN CONSTANT ROW", None, None, None, False),
        ("SCAN 3 CONSTANT ROWS", "SCAN 3 CONSTANT ROWS", None, None, None, False),
        ("CO-ROUTINE hunter2", "CO-ROUTINE", None, None, None, False),
        ("CORRELATED SCALAR SUBQUERY 2", "CORRELATED SCALAR SUBQUERY", None, None, None, False),
        ("COMPOUND QUERY", "COMPOUND QUERY", None, None, None, False),
        ("UNION ALL", "UNION ALL", None, None, None, False),
        ("MULTI-INDEX OR", "MULTI-INDEX OR", None, None, None, False),
        ("Something newer hunter2", "OTHER", None, None, None, False),
    ],
)
def test_sqlites_wordings(
    detail: str, kind: str, relation: str | None, index: str | None, condition: str | None, is_scan: bool
) -> None:
    """Before and after 3.36; what is not known keeps no text."""
    node = sqlite(detail)
    assert (node.kind, node.relation, node.index, node.condition, node.is_scan) == (
        kind,
        relation,
        index,
        condition,
        is_scan,
    )
    assert "hunter2" not in str(node)


@pytest.mark.parametrize(
    ("detail", "purpose"),
    [
        ("USE TEMP B-TREE FOR ORDER BY", "order_by"),
        ("USE TEMP B-TREE FOR LAST 2 TERMS OF ORDER BY", "order_by"),
        ("USE TEMP B-TREE FOR RIGHT PART OF ORDER BY", "order_by"),
        ("USE TEMP B-TREE FOR GROUP BY", "group_by"),
        ("USE TEMP B-TREE FOR DISTINCT", "distinct"),
        ("UNION USING TEMP B-TREE", "set_operation"),
    ],
)
def test_sqlites_sorts(detail: str, purpose: str) -> None:
    """Each says what for."""
    node = sqlite(detail)
    assert node.sorts == purpose
    assert [entry["purpose"] for entry in findings_of([node], {}, 0)] == [purpose]


def test_sqlites_tree_and_aliases() -> None:
    """Depths by parents; a plan tells an alias, the statement whose."""
    rows = [(3, 0, "SCAN p"), (7, 0, "CORRELATED SCALAR SUBQUERY 1"), (9, 7, "SEARCH U0 USING INDEX i (age=?)")]
    sql = 'SELECT * FROM people p WHERE EXISTS(SELECT 1 FROM "people" U0 WHERE U0."age" = p."age")'
    nodes = list(sqlite_nodes(rows, sql))
    assert [(node.depth, node.relation) for node in nodes] == [(0, "people"), (0, None), (1, "people")]


@pytest.mark.parametrize(
    ("where", "columns"),
    [
        ('"people"."email" = %s', ["email"]),
        ('("people"."age" > %s AND "people"."email" = %s)', ["email", "age"]),
        ('"people"."age" BETWEEN %s AND %s', ["age"]),
        ('"people"."age" IN (%s, %s, %s)', ["age"]),
        ("%s = email", ["email"]),
        ("lower(email) = %s", []),
        ("email LIKE %s ESCAPE '\\'", []),
        ('NOT ("people"."email" = %s)', []),
        ('"other"."email" = %s', []),
        ('"people"."id" = %s', []),
        ("email = age", []),
        ("email <> %s", []),
        ("nothing = %s", []),
    ],
)
def test_columns_an_index_might_have(where: str, columns: list[str]) -> None:
    """Those compared with values; equal ones first, for a range ends what an index can do."""
    found = kinds([sqlite("SCAN people", f"SELECT email FROM people WHERE {where}")])
    assert found == [("full_scan", [])] + ([("missing_index_candidate", columns)] if columns else [])


def test_a_join_asks_for_an_index_of_the_inner_loop() -> None:
    """Not of the outer one, which runs once."""
    rows = [(1, 0, "SCAN a"), (2, 0, "SCAN people")]
    nodes = list(sqlite_nodes(rows, "SELECT 1 FROM a JOIN people ON people.email = a.email"))
    tables = {"people": PEOPLE, "a": PEOPLE}
    candidates = [entry for entry in findings_of(nodes, tables, 10) if entry["kind"] == "missing_index_candidate"]
    assert [(entry["relation"], entry["columns"]) for entry in candidates] == [("people", ["email"])]


def test_an_automatic_index_names_its_columns() -> None:
    """Which SQLite has chosen itself."""
    node = sqlite("SEARCH people USING AUTOMATIC PARTIAL COVERING INDEX (email=? AND age=?)")
    assert (node.is_scan, node.is_automatic) == (False, True)
    assert kinds([node]) == [("automatic_index", ["email", "age"]), ("missing_index_candidate", ["email", "age"])]


def postgresql(**plan: Any) -> Node:
    (node,) = postgresql_nodes({"Node Type": "Seq Scan", "Relation Name": "people", "Alias": "people", **plan})
    return node


@pytest.mark.parametrize(
    ("condition", "columns"),
    [
        ("((people.email)::text = 'hunter2'::text)", ["email"]),
        ("(((people.email)::text = ANY ('{hunter2,b}'::text[])) AND (people.age > 5))", ["email", "age"]),
        ("((people.age >= 3) AND (people.age <= '-5'::integer))", ["age"]),
        ("(people.age = u0.number)", ["age"]),
        ("(u0.number = people.age)", ["age"]),
        ("(people.age = $0)", ["age"]),
        ("(upper((people.email)::text) = 'HUNTER2'::text)", []),
        ("((people.email)::text ~~ 'hunter2%'::text)", []),
        ("(people.email IS NULL)", []),
    ],
)
def test_postgresqls_filters(condition: str, columns: list[str]) -> None:
    """As it prints them with VERBOSE; no value stays in the condition."""
    node = postgresql(**{"Plan Rows": 3, "Filter": condition})
    assert kinds([node]) == [("full_scan", [])] + ([("missing_index_candidate", columns)] if columns else [])
    assert "hunter2" not in str(node).lower()
    assert not any(digit in str(node.condition).replace("u0", "") for digit in "0123456789")


def test_postgresqls_other_keys_are_left_out() -> None:
    """Output, function calls and whatever comes with a new version may hold values."""
    plan = {
        "Node Type": "Sort",
        "Plan Rows": 9_000,
        "Total Cost": 10.5,
        "Sort Key": ["(people.age + 4711)"],
        "Output": ["'hunter2'"],
        "Function Call": "f('hunter2')",
        "Plans": [
            {"Node Type": "Index Only Scan", "Relation Name": "people", "Index Name": "i", "Filter": "(a = 4711)"}
        ],
    }
    nodes = list(postgresql_nodes(plan))
    assert [node.fields() for node in nodes] == [
        {"depth": 0, "node": "Sort", "relation": None, "index": None, "rows": 9_000, "cost": 10.5, "condition": "(people.age + ?)"},
        {"depth": 1, "node": "Index Only Scan", "relation": "people", "index": "i", "rows": None, "cost": None, "condition": "(a = ?)"},
    ]  # fmt: skip
    assert kinds(nodes) == [("sort", []), ("full_scan", [])]


def test_thresholds() -> None:
    """More rows than allowed, not as many; an index is no help where most rows are kept."""
    scan = postgresql(**{"Plan Rows": 10, "Filter": "(people.age = 1)"})
    assert kinds([scan], 5_000) == []
    assert [kind for kind, _ in kinds([scan], 4_999)] == ["full_scan", "missing_index_candidate"]
    wide = postgresql(**{"Plan Rows": 1_001, "Filter": "(people.age = 1)"})
    assert [kind for kind, _ in kinds([wide])] == ["full_scan"]
    sort = postgresql(**{"Node Type": "Incremental Sort", "Relation Name": None, "Plan Rows": 1_000})
    assert kinds([sort]) == []


def test_findings_are_bounded_and_told_once() -> None:
    """Of a plan with hundreds of partitions too."""
    tables = {f"part_{number}": PEOPLE for number in range(100)}
    nodes = [Node(1, "Seq Scan", relation=name, is_scan=True) for name in tables]
    assert len(findings_of(nodes, tables, 10)) == MAX_FINDINGS
    assert len(findings_of([nodes[0], nodes[0]], tables, 10)) == 1
