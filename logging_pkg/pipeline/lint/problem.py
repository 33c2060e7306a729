"""One finding, and how it is shown.

In: a place and a sentence. Out: Problem values and their text. Never: exits, prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from logging_pkg.pipeline.lint.pages import command_for
from logging_pkg.pipeline.lint.source import Snippet, SourceFile


class Severity(StrEnum):
    """`error` makes the command fail, `warning` does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding.

    Attributes:
        path: file, relative to the project with `/`, or as it was given.
        line, column: from 1; 1, 1 when the whole file is meant.
        length: characters to underline; 0 when the whole file is meant.
        check: ID of the check, e.g. `logql/unknown-field`.
        severity: whether the command fails.
        message: what is wrong, as a phrase that follows the underlined text.
        hint: what to do; empty when the message says it.
        text: the line.
    """

    path: str
    line: int
    column: int
    length: int
    check: str
    severity: Severity
    message: str
    hint: str
    text: str

    @classmethod
    def at(
        cls,
        snippet: Snippet,
        check: str,
        message: str,
        hint: str = "",
        *,
        start: int = 0,
        end: int | None = None,
        severity: Severity = Severity.ERROR,
    ) -> Problem:
        """A finding about the characters from start to end of a snippet."""
        line, column, length = snippet.place(start, end)
        text = snippet.source.line(line)
        return cls(snippet.source.name, line, column, length, check, severity, message, hint, text)

    @classmethod
    def about(
        cls, source: SourceFile | str, check: str, message: str, hint: str = "", *, severity: Severity = Severity.ERROR
    ) -> Problem:
        """A finding about a whole file."""
        path = source if isinstance(source, str) else source.name
        return cls(path, 1, 1, 0, check, severity, message, hint, "")

    def value(self) -> dict[str, Any]:
        """As JSON holds it; `length` 0 is the whole file."""
        return {
            "check": self.check,
            "severity": self.severity.value,
            "file": self.path,
            "line": self.line,
            "column": self.column,
            "length": self.length,
            "text": self.text,
            "message": self.message,
            "hint": self.hint,
            "help": command_for(self.check),
        }


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that looks most like this one, if any does."""
    return next(iter(get_close_matches(word, sorted(known), n=1)), None)


def render(problem: Problem) -> str:
    """Show a problem: where, the line, what of it, and what to do.

    A line is shown without its indentation; what is longer than a terminal is cut around the underlined part.
    """
    place = f"{problem.path}:{problem.line}:{problem.column}" if problem.length else problem.path
    lines = [f"{place}  {problem.severity}  {problem.check}"]
    number = f"{problem.line:>5}"
    margin = " " * len(number)
    if problem.length:
        shown, shift = _shown(problem)
        caret = " " * (problem.column - 1 - shift) + "^" * problem.length
        lines += [f"{number} │ {shown}", f"{margin} │ {caret} {problem.message}"]
    else:
        lines.append(f"{margin}   {problem.message}")
    lines.append(f"{margin} = {f'{problem.hint}   ' if problem.hint else ''}{command_for(problem.check)}")
    return "\n".join(lines)


def _shown(problem: Problem, width: int = 140) -> tuple[str, int]:
    """The line as shown, and how many characters were taken off its start."""
    text = problem.text.replace("\t", " ")
    shift = len(text) - len(text.lstrip())
    if problem.column - 1 + problem.length - shift > width:
        shift = problem.column - 1 - width // 4
    return text[shift : shift + max(width, problem.length)].rstrip(), shift
