"""Which command reads what, and has which option: docs/COMMAND_LINE.md against the commands themselves.

In: every command of `logpipe`. Out: assertions on the document's table. Never: a cell nobody compares.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from logging_pkg.cli.application import application_for

_DOCUMENT = Path(__file__).resolve().parents[2] / "docs/COMMAND_LINE.md"
_COLUMNS = ("Loki", "file", "stdin", "`--json`", "`--since`", "`--show-query`")


def commands(group: Any, name: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Every command with its parameters."""
    for word, command in getattr(group, "commands", {"": group}).items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{name}{word} ")
        else:
            yield f"{name}{word}", command.params


def cells(parameters: list[Any]) -> dict[str, bool]:
    """What a command has of the columns."""
    options = {option for parameter in parameters for option in parameter.opts}
    files = [getattr(parameter, "help", "") for parameter in parameters if parameter.name == "files"]
    return {
        "Loki": "--loki-url" in options,
        "file": bool(files),
        "stdin": any("stdin" in words for words in files),
        **{f"`{option}`": option in options for option in ("--json", "--since", "--show-query")},
    }


def asks(found: Mapping[str, bool]) -> bool:
    """Whether a command answers from what events or servers say."""
    return found["`--since`"] or found["`--show-query`"] or (found["Loki"] and found["`--json`"])


def test_the_table_of_the_document_is_what_the_commands_have() -> None:
    """Each command that answers from events or servers, each cell, and a reason for each thing it lacks."""
    head, *rows = re.findall(r"^\| (?:command|`[a-z ]+`) \| .*\|$", _DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)
    assert head.split(" | ")[1:-1] == list(_COLUMNS)
    documented = {}
    for row in rows:
        name, *marks, reason = (cell.strip() for cell in row.strip("|").split("|"))
        documented[name.strip("`")] = {column: mark == "✓" for column, mark in zip(_COLUMNS, marks, strict=True)}
        assert reason or "–" not in marks, name
    every = {name: cells(parameters) for name, parameters in commands(typer.main.get_command(application_for([])))}
    assert documented == {name: found for name, found in every.items() if asks(found)}
