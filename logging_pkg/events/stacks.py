"""Exceptions and stacks as bounded text without values.

In: exceptions, frames. Out: `module.Class`, and `file:line function` per frame. Never: a message, argument or local.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import FrameType
from typing import Any

MAX_FRAMES = 30
MAX_STACK_CHARACTERS = 8000
MAX_TYPE_CHARACTERS = 200


def error_type_of(error: BaseException | type[BaseException]) -> str:
    """`module.Class` of an exception; builtins without the module."""
    kind = error if isinstance(error, type) else type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name[:MAX_TYPE_CHARACTERS]


def describe_exception(error: BaseException) -> tuple[str, str]:
    """Class and stack of an exception, innermost frame last, causes first. Its message may hold values: left out.

    What a group (of `asyncio.TaskGroup`) says is where it was waited for: its first exception is told as its cause.
    """
    parts: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(parts) < 5:
        seen.add(id(current))
        frames = []
        traceback = current.__traceback__
        while traceback is not None:
            frames.append(frame_line(traceback.tb_frame, traceback.tb_lineno))
            traceback = traceback.tb_next
        parts.append("\n".join([*frames[-MAX_FRAMES:], error_type_of(current)]))
        if isinstance(current, BaseExceptionGroup):
            current = current.exceptions[0]
        else:
            current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return error_type_of(error), "\n\n".join(reversed(parts))[-MAX_STACK_CHARACTERS:]


def describe_frames(frames: Sequence[FrameType]) -> str:
    """A stack that is still running, innermost frame last; the innermost ones where there are too many."""
    lines = [frame_line(frame, frame.f_lineno) for frame in frames[-MAX_FRAMES:]]
    return "\n".join(lines)[-MAX_STACK_CHARACTERS:]


def frame_line(frame: FrameType, line: int | None) -> str:
    """`file:line function`."""
    code = frame.f_code
    return f"{code.co_filename}:{line} {code.co_qualname if hasattr(code, 'co_qualname') else code.co_name}"


def record_source(pathname: Any, line: Any) -> str:
    """`file:line`, bounded to what the schema admits."""
    return f"{pathname}:{line}"[-300:]
