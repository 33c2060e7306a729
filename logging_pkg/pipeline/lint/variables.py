"""Grafana's variables in a query, filled in with something that can stand there.

In: a query of a dashboard, in place. Out: the same with values, each character with its place in the file.
Never: asks Grafana for the values; what a variable may hold is not known here.
"""

from __future__ import annotations

import re

from logging_pkg.pipeline.lint.source import Snippet

#: `$name`, `${name}`, `${name:format}`, and `[[name]]` of old dashboards.
_VARIABLE = re.compile(r"\$\{\w+(?:\.\w+)?(?::\w+)?\}|\$[A-Za-z_]\w*|\[\[\w+(?::\w+)?\]\]")
#: What a variable may stand in: a text, a comment, a range. Alternatives of their own come first.
_PART = re.compile(
    rf"(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)|(?P<comment>#[^\n]*)|(?P<variable>{_VARIABLE.pattern})"
    r"|(?P<range>\[[^\]\"`]*\])"
)
_LABELS = re.compile(r"(?:\{[^{}]*|\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*)$")
_OFFSET = re.compile(r"\boffset\s+$")
_IN_SECONDS = re.compile(r"_m?s\b")
_DURATION, _ANY_TEXT, _NUMBER, _LABEL = "5m", ".+", "1", "label"


def filled(snippet: Snippet, *, everywhere: bool) -> Snippet:
    """A query with its variables replaced.

    Args:
        snippet: the query.
        everywhere: also in texts and ranges, as a server needs it; the parser takes variables there as they are.
    """
    text = snippet.text
    pieces: list[tuple[int, int, str]] = []
    for part in _PART.finditer(text):
        if part["variable"]:
            pieces.append((*part.span(), _bare(text, part.start(), part.end())))
        elif everywhere and not part["comment"]:
            pieces += [
                (*found.span(), _ANY_TEXT if part["text"] else _length(text, found.start(), found.end()))
                for found in _VARIABLE.finditer(text, *part.span())
            ]
    return _replaced(snippet, pieces) if pieces else snippet


def _bare(text: str, start: int, end: int) -> str:
    """What stands outside of texts and ranges: a label, a duration, or a number."""
    before = text[:start]
    if _LABELS.search(before):
        return _LABEL
    return _length(text, start, end) if _OFFSET.search(before) else _NUMBER


def _length(text: str, start: int, end: int) -> str:
    """A duration, or its number where the unit stands behind it: `[${__range_s}s]`."""
    is_number = text[end : end + 1].isalpha() or _IN_SECONDS.search(text, start, end)
    return _NUMBER if is_number else _DURATION


def _replaced(snippet: Snippet, pieces: list[tuple[int, int, str]]) -> Snippet:
    texts: list[str] = []
    offsets: list[int] = []
    position = 0
    for start, end, value in pieces:
        texts += [snippet.text[position:start], value]
        first, last = snippet.offsets[start], snippet.offsets[end - 1]
        offsets += [*snippet.offsets[position:start], *[first] * (len(value) - 1), last if len(value) > 1 else first]
        position = end
    texts.append(snippet.text[position:])
    return Snippet(snippet.source, "".join(texts), (*offsets, *snippet.offsets[position:]))
