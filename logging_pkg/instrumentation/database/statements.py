"""What was run on which database: by this a unit's queries are told apart.

In: SQL as text. Out: statements, remembered for a while. Never: a text too long to be kept.
"""

from __future__ import annotations

from typing import NamedTuple

from logging_pkg.instrumentation.database.sql import MAX_LENGTH, shape_of

#: Texts remembered for each alias; with one more all are forgotten, which costs a look at each in use.
MAX_KNOWN = 1_000


class Statement(NamedTuple):
    """Queries of one alias that count as the same one."""

    alias: str
    #: Django's name of the database.
    vendor: str
    #: What makes two texts the same statement (`sql.shape_of`).
    shape: str


_known: dict[tuple[str, str], dict[str, Statement]] = {}


def known_statements(alias: str, vendor: str) -> dict[str, Statement]:
    """Statements of the texts seen lately, for a look that costs no call; `statement_of` tells and adds the others."""
    return _known.setdefault((alias, vendor), {})


def statement_of(sql: str, alias: str, vendor: str) -> Statement | None:
    """The statement a text is; None where it asks nothing of the database, and is not counted."""
    shape = shape_of(sql, vendor)
    if not shape:
        return None
    statement = Statement(alias, vendor, shape)
    if len(sql) <= MAX_LENGTH:
        known = known_statements(alias, vendor)
        if len(known) >= MAX_KNOWN:
            known.clear()
        known[sql] = statement
    return statement
