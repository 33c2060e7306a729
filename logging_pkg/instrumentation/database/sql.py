"""SQL texts as values: what kind of statement, and its fingerprint.

In: SQL as Django hands it to the driver. Out: operation and normalised text. Never: a literal or parameter.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

#: Statements that steer a transaction or a session and ask the database nothing.
_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "PRAGMA", "SET ", "START TRANSACTION")
#: Characters of a statement that are looked at; a longer one (bulk inserts) is known by its head.
MAX_LENGTH = 10_000

_OPERATIONS = {"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}

_NESTING = re.compile(r"[()]|\b(?:SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)

#: One pass over the text, so that a comment mark within a literal, or a quote within a comment, misleads nobody.
#: What is left open is taken to the end of the text. Literals differ: see the three uses.
_SYNTAX = r"""
    (?P<comment> /\*.*?(?:\*/|\Z) | {comment} )
  | (?P<literal>
        \$(?P<tag>\w*)\$.*?(?:\$(?P=tag)\$|\Z)
      | [Ee]'(?:[^'\\]|''|\\.)*(?:'|\Z)
      | (?:[BbXxNn]|[Uu]&)?'(?:{inside})*(?:'|\Z)
      | {double_quoted}
      | %\(\w+\)s | %s | \$\d+ | (?<!:):\w+
      | (?<![\w.])(?:(?<=[(,=<>\s])[-+])?(?:0[xXoObB][0-9a-fA-F_]+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)(?!\w)
    )
  | (?P<name> "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) | [^\W\d]\w* | ::\w+ )
"""
_STANDARD = re.compile(
    _SYNTAX.format(comment=r"--[^\n]*", inside="[^']|''", double_quoted="(?!)"), re.DOTALL | re.VERBOSE
)
#: SQLite takes a double-quoted name that is none for a text: what is compared with, and no table's column, may be one.
_SQLITE = re.compile(
    _SYNTAX.format(
        comment=r"--[^\n]*",
        inside="[^']|''",
        double_quoted=r"""
        (?:(?<=[=<>])|(?<=[=<>]\s)|(?i:(?<=\bLIKE\s)|(?<=\bGLOB\s)|(?<=\bIN\s\()))"(?:[^"]|"")*+(?:"(?!\s*\.)|\Z)""",
    ),
    re.DOTALL | re.VERBOSE,
)
#: A backslash escapes, double quotes are quotes, and a hash begins a comment.
_MYSQL = re.compile(
    _SYNTAX.format(comment=r"(?:--|\#)[^\n]*", inside=r"[^'\\]|''|\\.", double_quoted=r'"(?:[^"\\]|""|\\.)*(?:"|\Z)'),
    re.DOTALL | re.VERBOSE,
)
_SYNTAXES = {"mysql": _MYSQL, "sqlite": _SQLITE}
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)*\s*\)")
_ROWS = re.compile(r"\(\?…\)(?:\s*,\s*\(\?…\))+")
_SPACE = re.compile(r"\s+")


def is_control(sql: str) -> bool:
    """Whether a statement only steers the transaction or session (BEGIN, SAVEPOINT, …)."""
    return sql.lstrip()[:20].upper().startswith(_CONTROL)


def text_of(sql: Any, raw_connection: Any) -> str:
    """A statement as text: drivers take bytes too, and psycopg objects composed of parts.

    Args:
        sql: as handed to the driver.
        raw_connection: the driver's connection, by whose encoding and types psycopg composes.
    """
    if isinstance(sql, str):
        return str(sql)
    if isinstance(sql, bytes | bytearray):
        return sql.decode(errors="replace")
    compose = getattr(sql, "as_string", None)
    return str(sql) if compose is None else str(compose(raw_connection))


def operation_of(sql: str) -> str:
    """`select`, `insert`, `update`, `delete` or `other`; of `WITH … SELECT`, what follows the common tables."""
    operation = _OPERATIONS.get(sql[:6])
    if operation is not None:
        return operation
    head = sql[:MAX_LENGTH].lstrip(" \n\r\t(")
    if head.startswith(("/*", "--")):
        head = fingerprint(sql).lstrip(" (")
    if head[:4].upper() == "WITH":
        return _operation_after_with(fingerprint(sql))
    return _OPERATIONS.get(head[:6].upper(), "other")


def _operation_after_with(shape: str) -> str:
    depth = 0
    for match in _NESTING.finditer(shape):
        if match[0] in "()":
            depth += 1 if match[0] == "(" else -1
        elif depth == 0:
            return _OPERATIONS[match[0].upper()]
    return "other"


def fingerprint(sql: str, vendor: str = "") -> str:
    """The statement with every literal and parameter as `?`, lists of them folded to `(?…)`, one space between words.

    Identifiers stay as they are quoted (`"…"` in PostgreSQL and SQLite, backticks in MySQL). Cost: some 10-50 us the
    first time, 0.2 us when the same text comes again.

    Args:
        sql: as handed to the driver; of more than 10,000 characters only the head counts.
        vendor: Django's name of the database; `mysql` has literals of its own.
    """
    if len(sql) <= MAX_LENGTH:
        return _fingerprint(sql, vendor)
    return _fingerprint(sql[:MAX_LENGTH], vendor) + "…"


@lru_cache(maxsize=1024)
def _fingerprint(sql: str, vendor: str) -> str:
    text = _SYNTAXES.get(vendor, _STANDARD).sub(_replacement, sql)
    text = _LIST.sub("(?…)", text)
    text = _ROWS.sub("(?…)", text)
    return _SPACE.sub(" ", text).strip()


def shape_of(sql: str, vendor: str) -> str:
    """What makes two statements the same one: the fingerprint of a SELECT, which findings tell; of anything else the
    text, or what stands for a long one, so that no unit keeps those in memory. Empty where nothing is asked of the
    database: such a statement is not counted.
    """
    if is_control(sql):
        return ""
    if len(sql) > MAX_LENGTH:
        return fingerprint(sql, vendor) if operation_of(sql) == "select" else f"{len(sql)} {hash(sql)}"
    return fingerprint(sql, vendor) if operation_of(sql) == "select" else sql


def _replacement(match: re.Match[str]) -> str:
    name = match["name"]
    if name is not None:
        # SQLite takes a quoted name that is none for a text: no name of a column has an @.
        return "?" if "@" in name else name
    return " " if match["comment"] is not None else "?"
