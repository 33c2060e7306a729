"""SQL as values: fingerprints hold no literal."""

from __future__ import annotations

import pytest

from logging_pkg.instrumentation.database.sql import (
    MAX_LENGTH,
    fingerprint,
    is_control,
    operation_of,
    shape_of,
    text_of,
)
from logging_pkg.instrumentation.database.statements import MAX_KNOWN, known_statements, statement_of


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ('SELECT "a"."id" FROM "a"\n  WHERE x = %s LIMIT 21', 'SELECT "a"."id" FROM "a" WHERE x = ? LIMIT ?'),
        ("SELECT 1 FROM t WHERE id IN (%s, %s,%s)", "SELECT ? FROM t WHERE id IN (?…)"),
        ("INSERT INTO t VALUES (%s, %s), (%s, %s)", "INSERT INTO t VALUES (?…)"),
        ("SELECT 'secret', \"col\" FROM t1", 'SELECT ?, "col" FROM t1'),
        ("SELECT 'it''s secret'", "SELECT ?"),
        ("SELECT 'secret--x', 'secret' /* 'secret */, a", "SELECT ?, ? , a"),
        ("SELECT a -- it's secret\nFROM t", "SELECT a FROM t"),
        (r"SELECT 'C:\' , 'secret'", "SELECT ? , ?"),
        (r"SELECT E'it\'s secret', x::text, $1, :name, %(name)s", "SELECT ?, x::text, ?, ?, ?"),
        ("SELECT $$secret$$, $tag$ it's secret $tag$", "SELECT ?, ?"),
        ("SELECT 'secret", "SELECT ?"),
        ("SELECT x'5EC2E7', 0x5EC2E7, 1.5e-7, -3, a-1, col2", "SELECT ?, ?, ?, ?, a-?, col2"),
        ("SELECT $tag$ secret", "SELECT ?"),
        ("SELECT .54321, -.5e3, 1_000_000, 0b1_01, t.a1, a[1]", "SELECT ?, ?, ?, ?, t.a1, a[?]"),
    ],
)
def test_a_fingerprint_has_no_literal(sql: str, expected: str) -> None:
    """Texts, numbers, comments and parameters are gone; names stay."""
    found = fingerprint(sql)
    assert found == expected
    assert "secret" not in found


def test_mysql_has_literals_of_its_own() -> None:
    """Backslashes escape and double quotes are texts there."""
    assert fingerprint(r"SELECT `a` WHERE b = 'it\'s secret' AND c = " + '"sec\\"ret"', "mysql") == (
        "SELECT `a` WHERE b = ? AND c = ?"
    )


def test_one_shape_has_one_fingerprint() -> None:
    """Only values differ, so the fingerprints do not."""
    assert fingerprint("SELECT a FROM t WHERE b = 1 AND c = 'x'") == fingerprint(
        "SELECT a  FROM t WHERE b=2 AND c='y'".replace("=", " = ")
    )


@pytest.mark.parametrize("sql", ["'" * 50_001, "$" * 50_000, "/*" * 50_000, "-" * 50_000, "(?," * 20_000, '"' * 50_001])
def test_a_hostile_text_costs_no_time(sql: str) -> None:
    """Done long before the test's own time limit."""
    assert len(fingerprint(sql)) <= len(sql)


@pytest.mark.parametrize(
    ("sql", "operation"),
    [
        ("SELECT 1", "select"),
        ("  (select 1)", "select"),
        ("INSERT INTO t", "insert"),
        ("update t", "update"),
        ("DELETE FROM t", "delete"),
        ("WITH x AS (SELECT ')' FROM (y)) SELECT 1", "select"),
        ("with x as (select 1), y(a) as (select 2) insert into t select 1", "insert"),
        ("WITH x", "other"),
        ("/* traceparent='00' */ SELECT 1", "select"),
        ("-- one\n(WITH x AS (SELECT 1) DELETE FROM t)", "other"),
        ("", "other"),
    ],
)
def test_operations(sql: str, operation: str) -> None:
    """By the first word."""
    assert operation_of(sql) == operation


def test_statements_that_steer_a_transaction_are_control() -> None:
    """They ask the database nothing."""
    for sql in ("BEGIN", 'SAVEPOINT "s"', 'RELEASE SAVEPOINT "s"', "ROLLBACK", "COMMIT", "PRAGMA x", "SET TIME ZONE"):
        assert is_control(sql)
    assert not is_control("SELECT 1")
    assert not is_control("SETTINGS")


def test_statements_are_remembered_within_bounds() -> None:
    """Of short texts, up to a number; a long one is looked at each time, and never kept."""
    known = known_statements("default", "test")
    for number in range(MAX_KNOWN + 5):
        sql, shape = f"SELECT c{number} WHERE x = {number}", f"SELECT c{number} WHERE x = ?"
        assert statement_of(sql, "default", "test") == ("default", "test", shape)
        assert known[sql] == ("default", "test", shape)
        assert len(known) <= MAX_KNOWN
    assert shape_of("UPDATE t SET x = 1", "test") == "UPDATE t SET x = 1"
    long = "SELECT 'secret', " + "1, " * MAX_LENGTH
    assert statement_of(long, "default", "test") == ("default", "test", fingerprint(long))
    assert long not in known
    assert statement_of("BEGIN", "default", "test") is None
    assert known_statements("replica", "test") == {}


def test_a_long_statements_shape_is_short_and_its_own() -> None:
    """A unit that runs a thousand large inserts does not keep them, and does not take them for the same one."""
    longs = [f"INSERT INTO t VALUES {'(1), ' * MAX_LENGTH}({number})" for number in range(3)]
    shapes = {shape_of(sql, "test") for sql in [*longs, *longs]}
    assert len(shapes) == 3
    assert all(len(shape) < 100 and operation_of(shape) == "other" for shape in shapes)


def test_a_long_texts_fingerprint_is_its_heads() -> None:
    """A literal that is cut in two does not come through."""
    found = fingerprint("SELECT " + "a, " * (MAX_LENGTH // 3 - 4) + "'hunter2" + "hunter2" * 10)
    assert "hunter" not in found
    assert found.endswith("?…")


@pytest.mark.parametrize(
    ("sql", "vendor", "expected"),
    [
        ("SELECT `a`.`id` FROM `a` WHERE `a`.`b` = %s LIMIT 21", "mysql", "SELECT `a`.`id` FROM `a` WHERE `a`.`b` = ? LIMIT ?"),
        ('SELECT "x", \'it\'\'s\' FROM `t` # secret\n', "mysql", "SELECT ?, ? FROM `t`"),
        ('SELECT [a], "b", `c` FROM t WHERE d = ?', "sqlite", 'SELECT [a], "b", `c` FROM t WHERE d = ?'),
        ('SELECT a FROM t WHERE b = "anna@example.org"', "sqlite", "SELECT a FROM t WHERE b = ?"),
        ('SELECT a FROM t WHERE b = "Anna" OR b="O""Neill" OR b LIKE "An%"', "sqlite", "SELECT a FROM t WHERE b = ? OR b=? OR b LIKE ?"),
        ('SELECT "t"."a" FROM "t" WHERE "t"."b" = "u"."c"', "sqlite", 'SELECT "t"."a" FROM "t" WHERE "t"."b" = "u"."c"'),
        ('SELECT a FROM t WHERE b = "c"', "postgresql", 'SELECT a FROM t WHERE b = "c"'),
        ("SELECT x'AB', -1.5, ?1, :name, @p, $v", "sqlite", "SELECT ?, ?, ??, ?, @p, $v"),
        ("SELECT a::numeric(10,2), '{1,2}'::int[], $1", "postgresql", "SELECT a::numeric(?…), ?::int[], ?"),
        ("SELECT U&'\\0061', B'101', N'x' FROM t", "postgresql", "SELECT ?, ?, ? FROM t"),
        ("SELECT a FROM t WHERE b = ANY(ARRAY[1, 2])", "postgresql", "SELECT a FROM t WHERE b = ANY(ARRAY[?, ?])"),
    ],
)  # fmt: skip
def test_the_spellings_of_each_vendor(sql: str, vendor: str, expected: str) -> None:
    """PostgreSQL, SQLite and MySQL: quoted names stay, literals and parameters go."""
    assert fingerprint(sql, vendor) == expected


class Composed:
    def as_string(self, context: object) -> str:
        return f"SELECT {context}"


@pytest.mark.parametrize(
    ("sql", "text"),
    [("SELECT 1", "SELECT 1"), (b"SELECT '\xff'", "SELECT '\ufffd'"), (Composed(), "SELECT raw"), (1, "1")],
)
def test_statements_as_text(sql: object, text: str) -> None:
    """Whatever a driver takes."""
    assert text_of(sql, "raw") == text
