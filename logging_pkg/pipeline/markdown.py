"""The little Markdown that generated documents are made of.

In: texts. Out: tables, blocks, escaped text. Never: what the texts mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

#: Head of every generated document: what made it, and that it is not to be edited.
GENERATED: Final = (
    "<!-- Generated from the schemas by `logpipe generate`. Do not edit: change a schema and run it again.\n"
    "`logpipe generate --check` fails when this file and the schemas disagree. -->\n"
)


def code(text: str) -> str:
    """As code, within a table or not."""
    return f"`{text}`" if text else ""


def prose(text: str) -> str:
    """Text as it is, on one line: what Markdown would take for HTML or a table is escaped outside of code."""
    parts = " ".join(text.split()).split("`")
    parts[::2] = [part.replace("<", "&lt;").replace("*", "\\*") for part in parts[::2]]
    return "`".join(parts)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; columns that no row fills are left out."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    used = [column for column in range(len(head)) if any(row[column] for row in cells)]
    lines = [[head[column] for column in used], ["---"] * len(used)]
    lines += [[row[column] for column in used] for row in cells]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def block(language: str, text: str) -> str:
    """A fenced block."""
    return f"```{language}\n{text.rstrip()}\n```\n"


def anchor(heading: str) -> str:
    """GitHub's link to a heading: lower case, dots and other signs left out, spaces as hyphens."""
    kept = (letter for letter in heading.lower() if letter.isalnum() or letter in "_- ")
    return "#" + "".join(kept).replace(" ", "-")
