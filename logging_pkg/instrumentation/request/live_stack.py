"""Where a thread or an asyncio task stands right now, looked at from another thread.

In: a thread's ident, or a task. Out: its frames, outermost first. Never: waits, stops or changes what it looks at.

A task's frames are found by following what each coroutine awaits, as far as Python tells: coroutines, generators, async
generators, tasks, `gather`, `wait_for`; and asgiref's bridges, from a coroutine into the thread that runs its
`sync_to_async` call and from a thread into the coroutine of its `async_to_sync` call.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from types import FrameType
from typing import Any, Self

#: Steps from one awaitable to the next; a bound, should they ever go in a circle.
_MAX_STEPS = 200
_CALLED = "SyncToAsync.thread_handler"


def frames_of_thread(ident: int) -> list[FrameType]:
    """The frames of a thread, and of the coroutine it waits for in `async_to_sync`."""
    with _Search() as search:
        return search.thread(ident)


def frames_of_task(task: asyncio.Task[Any]) -> list[FrameType]:
    """The frames of what a task runs or awaits."""
    with _Search() as search:
        return search.awaited(task)


class _Search:
    """One look, all at the same moment."""

    def __init__(self) -> None:
        self._threads = {ident: _outermost_first(frame) for ident, frame in sys._current_frames().items()}
        self._steps = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        # Among these frames is the one that holds this object: the circle would keep what every thread's functions
        # have had in their hands until the garbage collector finds it.
        self._threads.clear()

    def thread(self, ident: int) -> list[FrameType]:
        frames = self._threads.get(ident, [])
        return frames + self._bridged(frames)

    def _bridged(self, frames: list[FrameType]) -> list[FrameType]:
        """From a thread that waits in `async_to_sync` into the coroutine it waits for."""
        for frame in reversed(frames):
            if _is_asgiref(frame, _CALLED):
                break  # called back meanwhile, it runs the code of a `sync_to_async` further in
            if _is_asgiref(frame, "AsyncToSync.__call__"):
                return self.awaited(frame.f_locals.get("awaitable"))
        return []

    def awaited(self, awaitable: Any) -> list[FrameType]:
        """The frames of an awaitable and of all it awaits in turn."""
        found: list[FrameType] = []
        while awaitable is not None and self._steps < _MAX_STEPS:
            self._steps += 1
            if isinstance(awaitable, asyncio.Future):
                awaitable = _inside_future(awaitable)
                continue
            frame, inner = _parts(awaitable)
            if frame is None:
                # An opaque iterator, such as that of `await future`: what it is about is what it refers to.
                awaitable = next((item for item in gc.get_referents(awaitable) if _is_awaitable(item)), None)
                continue
            running = self._running(frame)
            if running:
                return found + running
            found.append(frame)
            if _is_asgiref(frame, "SyncToAsync.__call__"):
                return found + self._thread_of_call(frame.f_locals.get("child"))
            awaitable = inner
            if frame.f_code is asyncio.wait_for.__code__:
                awaitable = frame.f_locals.get("fut", inner)
        return found

    def _running(self, frame: FrameType) -> list[FrameType]:
        """The frames from a coroutine's own inwards, where a thread is just running it."""
        for frames in self._threads.values():
            if frame in frames:
                inner = frames[frames.index(frame) :]
                return inner + self._bridged(inner)
        return []

    def _thread_of_call(self, call: Any) -> list[FrameType]:
        """The frames of the thread that runs a `sync_to_async` call; none while it waits for a free thread."""
        for frames in self._threads.values():
            for place, frame in enumerate(frames):
                if _is_asgiref(frame, _CALLED) and any(item is call for item in frame.f_locals.get("args", ())):
                    inner = frames[place + 1 :]
                    return inner + self._bridged(inner)
        return []


def _outermost_first(frame: FrameType | None) -> list[FrameType]:
    frames = []
    while frame is not None:
        frames.append(frame)
        frame = frame.f_back
    return frames[::-1]


def _is_asgiref(frame: FrameType, function: str) -> bool:
    code = frame.f_code
    return code.co_qualname == function and frame.f_globals.get("__name__") == "asgiref.sync"


def _parts(awaitable: Any) -> tuple[FrameType | None, Any]:
    """The frame of a coroutine or generator, sync or async, and what it awaits."""
    for kind, inner in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
        frame = getattr(awaitable, f"{kind}_frame", None)
        if frame is not None:
            return frame, getattr(awaitable, inner)
    return None, None


def _is_awaitable(item: Any) -> bool:
    return isinstance(item, asyncio.Future) or _parts(item)[0] is not None


def _inside_future(future: asyncio.Future[Any]) -> Any:
    """The coroutine of a task; of `gather`, the first that is not done."""
    if isinstance(future, asyncio.Task):
        return future.get_coro()
    return next((child for child in getattr(future, "_children", ()) if not child.done()), None)
