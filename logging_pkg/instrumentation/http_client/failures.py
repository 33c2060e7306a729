"""Whether a request that failed can have reached its server.

In: the exception. Out: yes or no. Never: an import of the library that raised it, a doubt taken for a no.
"""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from types import FrameType

_MAX_CHAIN = 20


def is_unsent(error: BaseException, handled: int) -> bool:
    """Whether a request failed before or while its connection was made, TLS and a proxy's tunnel included.

    Read from where the exceptions were raised, because their classes do not say it: a time-out of the TLS handshake
    and one of the answer are of the same class.

    Args:
        error: what the library raised.
        handled: `id` of the exception that was being handled when the request began; what led to it does not count.
    """
    reached: HTTPConnection | None = None
    for frame in _frames(error, handled):
        connection = _connection_of(frame)
        # Another one than the first is not the library's: the caller's own generator may connect, while it is sent.
        reached = reached or connection
        if connection is not None and connection is reached and frame.f_code.co_name == "connect":
            return True
    return reached is None


def _connection_of(frame: FrameType) -> HTTPConnection | None:
    """The connection a frame is a method of; that of urllib3 is a subclass of the standard library's."""
    if frame.f_code.co_varnames[:1] != ("self",):
        return None
    owner = frame.f_locals.get("self")
    return owner if isinstance(owner, HTTPConnection) else None


def _frames(error: BaseException, handled: int) -> Iterator[FrameType]:
    """The frames an exception has passed, and those of the ones it came of.

    Not the frame that has caught it and is asking: to look at the locals of a running frame is to keep them, the
    exception among them.
    """
    link = error
    traceback = error.__traceback__.tb_next if error.__traceback__ is not None else None
    for _ in range(_MAX_CHAIN):
        while traceback is not None:
            yield traceback.tb_frame
            traceback = traceback.tb_next
        origin = link.__cause__ or link.__context__
        if origin is None or id(origin) == handled:
            return
        link, traceback = origin, origin.__traceback__
