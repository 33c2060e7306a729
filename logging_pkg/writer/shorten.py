"""Cut an event that is too long for one line, so that it is marked and not lost.

In: an event's fields. Out: the same with long texts and lists cut and `shortened_fields` naming them.
Never: cuts in the middle of a UTF-8 character, drops a field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

_MARK = "…[{} bytes cut]"
#: The mark, quotes, and the entry in shortened_fields.
_OVERHEAD = 160


def shorten(fields: Mapping[str, Any], body: bytes, room: int) -> dict[str, Any] | None:
    """Return fields that serialise to at most `room` bytes, or None where cutting texts and lists cannot get there.

    The longest field is cut first, only as far as needed.

    Args:
        fields: the event's own fields.
        body: their serialisation.
        room: bytes they may take.
    """
    result = dict(fields)
    cut: list[str] = []
    size = len(body)
    sizes = {name: len(orjson.dumps(value)) for name, value in fields.items()}
    for name in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if size <= room:
            break
        keep = max(0, sizes[name] - (size - room) - _OVERHEAD - len(name))
        value = result[name]
        if isinstance(value, str):
            result[name] = _cut_text(value, keep)
        elif isinstance(value, list):
            result[name] = _cut_list(value, keep)
        else:
            continue
        cut.append(name[:64])
        result["shortened_fields"] = cut
        size = len(orjson.dumps(result))
    return result if size <= room else None


def _cut_text(text: str, keep: int) -> str:
    """The head of a text whose JSON form takes at most `keep` bytes, and the mark."""
    raw = text.encode()
    head = raw[:keep].decode("utf-8", "ignore")
    while len(orjson.dumps(head)) > keep + 2:
        # Escapes take more room than the characters they stand for.
        head = head[: len(head) * keep // len(orjson.dumps(head))]
    return head + _MARK.format(len(raw) - len(head.encode()))


def _cut_list(items: list[Any], keep: int) -> list[Any]:
    used = 2
    for index, item in enumerate(items):
        used += len(orjson.dumps(item)) + 1
        if used > keep:
            return items[:index]
    return items
