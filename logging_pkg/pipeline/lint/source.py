"""Text that knows which place of which file each of its characters came from.

In: files, YAML scalars in any style, fenced blocks. Out: Snippet values and places. Never: what the text means.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import yaml


@dataclass(frozen=True)
class SourceFile:
    """One file: `name` is its path as shown to people (relative to the project, or as given), `text` its content."""

    name: str
    text: str = field(repr=False)

    @classmethod
    def read(cls, path: Path, root: Path | None) -> SourceFile:
        """Read a file of a project, or any where root is None.

        Bytes that are not UTF-8 become U+FFFD, which no check accepts anywhere.
        """
        name = path.relative_to(root) if root else path
        return cls(name.as_posix(), path.read_text(encoding="utf-8", errors="replace"))

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(index + 1 for index, character in enumerate(self.text) if character == "\n")]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character, both from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, from 1, without its end."""
        start = self._line_starts[number - 1]
        return self.text[start:].split("\n", 1)[0]

    def snippet(self, start: int, end: int) -> Snippet:
        """The characters from start to end."""
        return Snippet(self, self.text[start:end], tuple(range(start, end + 1)))


@dataclass(frozen=True)
class Snippet:
    """A text taken from a file: `offsets[i]` is where character i stands there; one more offset ends the text."""

    source: SourceFile = field(repr=False)
    text: str
    offsets: tuple[int, ...] = field(repr=False)

    def cut(self, start: int, end: int) -> Snippet:
        """Its characters from start to end."""
        return Snippet(self.source, self.text[start:end], self.offsets[start : end + 1])

    def place(self, start: int = 0, end: int | None = None) -> tuple[int, int, int]:
        """Line, column and length in the file of its characters from start to end; the length ends with the line."""
        last = len(self.text) if end is None else end
        first = self.offsets[min(start, len(self.offsets) - 1)]
        line, column = self.source.position(first)
        stop = self.offsets[last - 1] + 1 if last > start else first + 1
        room = max(len(self.source.line(line).rstrip()) - column + 1, 1)
        return line, column, min(max(stop - first, 1), room)


def scalar(source: SourceFile, node: yaml.ScalarNode) -> Snippet:
    """The text of a YAML scalar in any style, each character with its place in the file."""
    start, end = node.start_mark.index, node.end_mark.index
    if node.style in ("|", ">"):
        start = source.text.index("\n", start) + 1
    value = str(node.value)
    offsets = []
    position = start + (node.style in ("'", '"'))
    for character in value:
        position = _find(source.text, position, end, character, node.style)
        offsets.append(position)
        position += _width(source.text, position, node.style)
    return Snippet(source, value, (*offsets, min(position, len(source.text))))


def _find(text: str, position: int, end: int, character: str, style: str | None) -> int:
    """The next place that can stand for a character of the value: past indentation, folded line ends and the like."""
    while position < end:
        found = text[position]
        if found == character or (style == '"' and found == "\\" and text[position + 1] != "\n"):
            return position
        if found == "\n" and character == " ":
            return position
        if found in " \t\n\r" or (style == '"' and found == "\\"):
            position += 1
            continue
        break
    return position


def _width(text: str, position: int, style: str | None) -> int:
    """How many characters of the file stand for one of the value."""
    if style == "'" and text[position : position + 2] == "''":
        return 2
    if style == '"' and text[position : position + 1] == "\\":
        return {"x": 4, "u": 6, "U": 10}.get(text[position + 1], 2)
    return 1
