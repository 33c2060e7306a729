"""A text that matches a regular expression, for examples of fields with a `pattern`.

In: the pattern of a JSON Schema, a source of chance. Out: a text it matches. Never: a guess where the pattern says more
than is understood here (look-around, back-references, classes of Unicode).
"""

from __future__ import annotations

import random
import re
import string
from dataclasses import dataclass
from typing import TypeAlias

from logging_pkg.exceptions import SchemaError

#: Repetitions beyond the least that `*`, `+` and `{n,}` are given at most.
MAX_MORE = 4
_CLASSES = {"d": string.digits, "w": string.ascii_letters + string.digits + "_", "s": " "}
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_ANYTHING = string.ascii_letters + string.digits + " _-./"
_GROUP = re.compile(r"\((?:\?:|\?<[A-Za-z_]\w*>|(?!\?))")
_QUANTIFIER = re.compile(r"(?:\{(\d+)(,(\d*))?\}|([*+?]))\??")


@dataclass(frozen=True, slots=True)
class _Letter:
    """One character out of an alphabet."""

    alphabet: str


@dataclass(frozen=True, slots=True)
class _Repeat:
    part: _Node
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class _Choice:
    """One of several sequences."""

    sequences: tuple[tuple[_Node, ...], ...]


_Node: TypeAlias = _Letter | _Repeat | _Choice


def text_matching(pattern: str, chosen: random.Random) -> str:
    """A text that the pattern matches as a whole.

    Raises:
        SchemaError: the pattern says more than is understood here.
    """
    return _written(_Reader(pattern).whole(), chosen)


def below(chosen: random.Random, end: int) -> int:
    """A whole number from 0 to end - 1. `random()` alone gives the same numbers in every Python."""
    return int(chosen.random() * end)


def _written(node: _Node, chosen: random.Random) -> str:
    match node:
        case _Letter():
            return node.alphabet[below(chosen, len(node.alphabet))]
        case _Repeat():
            times = node.least + below(chosen, node.most - node.least + 1)
            return "".join(_written(node.part, chosen) for _ in range(times))
        case _Choice():
            sequence = node.sequences[below(chosen, len(node.sequences))]
            return "".join(_written(part, chosen) for part in sequence)


class _Reader:
    """Recursive descent over one pattern."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._position = 0

    def whole(self) -> _Node:
        node = self._choice()
        if self._position < len(self._pattern):
            raise self._not_understood()
        return node

    def _choice(self) -> _Choice:
        sequences = [self._sequence()]
        while self._take("|"):
            sequences.append(self._sequence())
        return _Choice(tuple(sequences))

    def _sequence(self) -> tuple[_Node, ...]:
        parts: list[_Node] = []
        while self._position < len(self._pattern) and self._pattern[self._position] not in "|)":
            atom = self._atom()
            if atom is not None:
                parts.append(self._repeated(atom))
        return tuple(parts)

    def _atom(self) -> _Node | None:
        """None for what matches no character: the anchors."""
        if self._take("^") or self._take("$") or self._take("\\b"):
            return None
        group = _GROUP.match(self._pattern, self._position)
        if group is not None:
            self._position = group.end()
            inside = self._choice()
            if not self._take(")"):
                raise self._not_understood()
            return inside
        if self._take("["):
            return _Letter(self._class())
        if self._take("."):
            return _Letter(_ANYTHING)
        if self._pattern[self._position] in "({*+?":
            raise self._not_understood()
        return _Letter(self._character())

    def _repeated(self, atom: _Node) -> _Node:
        found = _QUANTIFIER.match(self._pattern, self._position)
        if found is None:
            return atom
        self._position = found.end()
        least, comma, most, sign = found.groups()
        if sign:
            low, high = {"*": (0, MAX_MORE), "+": (1, 1 + MAX_MORE), "?": (0, 1)}[sign]
        else:
            low = int(least)
            high = int(most) if most else low + MAX_MORE if comma else low
        return _Repeat(atom, low, high)

    def _class(self) -> str:
        is_negated = self._take("^")
        alphabet = ""
        while not self._take("]"):
            first = self._character()
            ahead = self._pattern[self._position : self._position + 2]
            if len(first) == 1 and len(ahead) == 2 and ahead[0] == "-" and ahead[1] != "]":
                self._position += 1
                alphabet += "".join(map(chr, range(ord(first), ord(self._character()[0]) + 1)))
            else:
                alphabet += first
        if is_negated:
            alphabet = "".join(letter for letter in _ANYTHING if letter not in alphabet)
        if not alphabet:
            raise self._not_understood()
        return alphabet

    def _character(self) -> str:
        """The next character, or the alphabet an escape stands for."""
        if self._position >= len(self._pattern):
            raise self._not_understood()
        letter = self._pattern[self._position]
        self._position += 1
        if letter != "\\":
            return letter
        escaped = self._pattern[self._position : self._position + 1]
        self._position += 1
        if escaped in _CLASSES:
            return _CLASSES[escaped]
        if escaped in _CONTROLS:
            return _CONTROLS[escaped]
        if not escaped or escaped.isalnum():
            self._position -= 1
            raise self._not_understood()
        return escaped

    def _take(self, text: str) -> bool:
        found = self._pattern.startswith(text, self._position)
        self._position += len(text) if found else 0
        return found

    def _not_understood(self) -> SchemaError:
        return SchemaError(
            f"pattern {self._pattern[:80]!r}: no text can be made from character {self._position + 1} on; "
            'give the field "examples" in its schema'
        )
