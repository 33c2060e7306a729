"""SQL texts as values: what kind of statement, and its fingerprint.

In: SQL as Django hands it to the driver. Out: operation and normalised text. Never: a literal or parameter.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: Statements that steer a transaction or a session and ask the database nothing.
_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "PRAGMA", "SET ", "START TRANSACTION")

_OPERATIONS = {"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}

#: One pass over the text, so that a comment mark within a literal, or a quote within a comment, misleads nobody.
#: What is left open is taken to the end of the text. MySQL's literals differ: see the two uses.
_SYNTAX = r"""
    (?P<comment> /\*.*?(?:\*/|\Z) | --[^\n]* )
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
_STANDARD = re.compile(_SYNTAX.format(inside="[^']|''", double_quoted="(?!)"), re.DOTALL | re.VERBOSE)
#: A backslash escapes, and double quotes are quotes.
_MYSQL = re.compile(
    _SYNTAX.format(inside=r"[^'\\]|''|\\.", double_quoted=r'"(?:[^"\\]|""|\\.)*(?:"|\Z)'), re.DOTALL | re.VERBOSE
)
_LIST = re.compile(r"\(\s*\?(?:\s*,\s*\?)*\s*\)")
_ROWS = re.compile(r"\(\?…\)(?:\s*,\s*\(\?…\))+")
_SPACE = re.compile(r"\s+")


def is_control(sql: str) -> bool:
    """Whether a statement only steers the transaction or session (BEGIN, SAVEPOINT, …)."""
    return sql.startswith(_CONTROL)


def operation_of(sql: str) -> str:
    """`select`, `insert`, `update`, `delete` or `other`."""
    return _OPERATIONS.get(sql.lstrip(" \n\t(")[:6].upper(), "other")


@lru_cache(maxsize=2048)
def fingerprint(sql: str, vendor: str = "") -> str:
    """The statement with every literal and parameter as `?`, lists of them folded to `(?…)`, one space between words.

    Identifiers stay as they are quoted (`"…"` in PostgreSQL and SQLite, backticks in MySQL). Cost: some 10-50 us the
    first time, so it is computed for reported statements only.

    Args:
        sql: as handed to the driver.
        vendor: Django's name of the database; `mysql` has literals of its own.
    """
    text = (_MYSQL if vendor == "mysql" else _STANDARD).sub(_replacement, sql)
    text = _LIST.sub("(?…)", text)
    text = _ROWS.sub("(?…)", text)
    return _SPACE.sub(" ", text).strip()


def _replacement(match: re.Match[str]) -> str:
    if match["name"] is not None:
        return match[0]
    return " " if match["comment"] is not None else "?"
