"""SQL texts as values: what kind of statement, and its fingerprint.

In: SQL as Django hands it to the driver. Out: operation and normalised text. Never: a literal or parameter.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: Statements that steer a transaction or a session and ask the database nothing.
_CONTROL = ("SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT", "PRAGMA", "SET ", "START TRANSACTION")

_OPERATIONS = {"SELECT": "select", "INSERT": "insert", "UPDATE": "update", "DELETE": "delete"}

_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)
_DOLLAR_TEXT = re.compile(r"\$(\w*)\$.*?\$\1\$", re.DOTALL)
_TEXT = re.compile(r"(?i)\b[EBXN]?'(?:[^'\\]|''|\\.)*'")
_NUMBER = re.compile(r"(?<![\w\"`$.])[-+]?(?:0x[0-9a-fA-F]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?!\w)")
_PLACEHOLDER = re.compile(r"%\(\w+\)s|%s|\$\d+|:\w+(?!:)\b(?<!::)|\?")
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
def fingerprint(sql: str) -> str:
    """The statement with every literal and parameter as `?`, lists of them folded to `(?…)`, one space between words.

    Identifiers stay as they are quoted (`"…"` in PostgreSQL and SQLite, backticks in MySQL). Cost: 10-50 us the first
    time, so it is computed for reported statements only.
    """
    text = _COMMENT.sub(" ", sql)
    text = _DOLLAR_TEXT.sub("?", text)
    text = _TEXT.sub("?", text)
    text = re.sub(r"(?<!\w)'(?:[^'\\]|''|\\.)*'", "?", text)
    text = _PLACEHOLDER.sub("?", text)
    text = _NUMBER.sub("?", text)
    text = _LIST.sub("(?…)", text)
    text = _ROWS.sub("(?…)", text)
    return _SPACE.sub(" ", text).strip()
