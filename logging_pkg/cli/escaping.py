r"""Text of events as a terminal may show it.

In: text that anybody may have written: a browser, a client's header, another program. Out: the same with everything
escaped that a terminal obeys or that hides or reorders what is read. Never: a character of it lost.

What is escaped is written as JSON writes it (`\u001b`), so that it can be looked for in the log file.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

import orjson

#: Control characters of both sets but tab and line feed, line and paragraph separators, marks and overrides of writing
#: direction, characters without width (but those that join letters and emoji), tags, halves of surrogate pairs.
_OBEYED: Final = (
    "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u00ad\\u061c\\u180e\\u200b\\u200e\\u200f\\u2028-\\u202e\\u2060-\\u206f"
    "\\ufeff\\ufff9-\\ufffb\\ud800-\\udfff\\U000e0000-\\U000e007f"
)
_IN_TEXT: Final = re.compile(f"[{_OBEYED}]")
_IN_LINE: Final = re.compile(f"[\\t\\n{_OBEYED}]")


def visible(text: str) -> str:
    """A text of several lines, with nothing in it but what is seen."""
    return text if text.isascii() and text.isprintable() else _IN_TEXT.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same of a text that is a line, or a part of one: its tabs and line feeds are escaped, too."""
    return text if text.isascii() and text.isprintable() else _IN_LINE.sub(_escaped, text)


def json_line(value: Any, indent: int | None = None) -> str:
    """A value as JSON, equal to it for programs, that a terminal may show: what it would obey is escaped.

    Args:
        value: of events, of numbers, of texts.
        indent: spaces per level; one line when None.
    """
    if indent is None:
        try:
            return visible(orjson.dumps(value).decode())
        except TypeError:
            pass  # half a surrogate pair, a number beyond 64 bits
    return visible(json.dumps(value, indent=indent, ensure_ascii=False))


def _escaped(found: re.Match[str]) -> str:
    return json.dumps(found[0])[1:-1] if found[0] != "\x7f" else "\\u007f"
