"""An ASGI application that serves websockets itself and hands all else to Django, as projects with both have it.

In: INTERFERENCE_VARIANT and INTERFERENCE_SCRATCH; scopes of a server. Out: `application`. Never: Django for a websocket.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.interference.project import Project
from tests.interference.scenarios import Scenario

_project = Project(os.environ["INTERFERENCE_VARIANT"], Path(os.environ["INTERFERENCE_SCRATCH"]))
_project.prepare(Scenario(()))

from django.core.handlers.asgi import ASGIHandler  # noqa: E402  (after Django is set up)

_django = ASGIHandler()
_lifespan: list[str] = []


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Route by the scope's type."""
    if scope["type"] == "websocket":
        await _echo(scope, receive, send)
    elif scope["type"] == "lifespan":
        await _live(scope, receive, send)
    else:
        await _django(scope, receive, send)  # type: ignore[arg-type]


async def _live(scope: dict[str, Any], receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        _lifespan.append(message["type"])
        scope.get("state", {})["began"] = "yes"
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _echo(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Tell what the scope holds, then repeat what comes; `bye` closes, `fail` raises, `query` asks the database."""
    await receive()
    if scope["path"] == "/ws/refused/":
        await send({"type": "websocket.close", "code": 4001})
        return
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})
    told = {"path": scope["path"], "keys": sorted(scope), "state": scope.get("state"), "lifespan": _lifespan}
    await send({"type": "websocket.send", "text": json.dumps(told)})
    while True:
        message = await receive()
        if message["type"] == "websocket.disconnect":
            return
        text = message.get("text")
        if text == "bye":
            await send({"type": "websocket.close", "code": 4000, "reason": "as asked"})
            return
        if text == "fail":
            raise LookupError("in the consumer")
        if text == "query":
            from django.contrib.auth.models import Group

            text = str(await Group.objects.acount())
        await send({"type": "websocket.send", "text": text, "bytes": message.get("bytes")})
