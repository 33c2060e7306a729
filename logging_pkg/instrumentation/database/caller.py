"""The first line of the project's own code above the current call.

In: the running stack. Out: `path:line`, relative to the project; of a template, where a template is what asks.
Never: reads a source file, or a local variable but the template node that is being rendered.
"""

from __future__ import annotations

import sys
import sysconfig
from functools import lru_cache
from pathlib import Path
from types import FrameType
from typing import Any

from logging_pkg import conf

_OWN_PACKAGE = str(Path(__file__).resolve().parents[1]) + "/"
#: Not sysconfig's "data" and "scripts": an environment may be made around the project's own directory.
_LIBRARIES = tuple(
    {str(Path(sysconfig.get_path(name)).resolve()) + "/" for name in ("stdlib", "platstdlib", "purelib", "platlib")}
)
#: Frames walked at most; 0.1 us each.
_MAX_DEPTH = 200
#: Where Django renders each node of a template, the node as `self`.
_RENDER_NODE = "render_annotated"
_RENDER_FILE = str(Path("django/template/base.py"))


def project_caller() -> str | None:
    """`path:line` of the nearest frame that is neither a library's, nor ours, nor outside the project; else None.

    A query that a template sets off (a loop over `event.calendar.name`) is the template's: its file and line say more
    than the view's `render`.
    """
    roots = conf.settings().project_roots
    frame: FrameType | None = sys._getframe(1)
    depth = 0
    while frame is not None and depth < _MAX_DEPTH:
        code = frame.f_code
        if code.co_name == _RENDER_NODE and code.co_filename.endswith(_RENDER_FILE):
            filename, line = _position(frame.f_locals.get("self"))
        else:
            filename, line = code.co_filename, frame.f_lineno
        name = _project_name(filename, roots)
        if name is not None:
            return f"{name}:{line}"[-300:]
        frame = frame.f_back
        depth += 1
    return None


def _position(node: Any) -> tuple[str, int]:
    """File and line of a template node; one made by hand has none."""
    origin, token = getattr(node, "origin", None), getattr(node, "token", None)
    return str(getattr(origin, "name", None) or "<unknown>"), int(getattr(token, "lineno", None) or 0)


@lru_cache(maxsize=4096)
def _project_name(filename: str, roots: tuple[Path, ...]) -> str | None:
    """The file's name relative to the project, or None when it is not the project's code."""
    if filename.startswith("<"):
        return None
    try:
        path = Path(filename).resolve()
        directories = [root.resolve() for root in roots or (Path.cwd(),)]
    except (OSError, RuntimeError):
        return None  # the working directory is gone, as after a deployment that replaces it; a circle of links
    text = str(path)
    if text.startswith((_OWN_PACKAGE, *_LIBRARIES)) or "/site-packages/" in text or "/dist-packages/" in text:
        return None
    for directory in directories:
        if path.is_relative_to(directory):
            return str(path.relative_to(directory))
    return None
