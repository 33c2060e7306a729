"""Page tokens and sync tokens: opaque to clients, a small JSON object inside.

In: the fields of a cursor.
Out: URL-safe text, and back; what was not made by this server process is told apart.
Never: signatures; a client of a development server has no reason to forge one.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class SyncToken:
    """`since`: everything with a greater version is news. `epoch`: an older one than the resource's has expired."""

    instance: str
    resource: str
    epoch: int
    since: int


@dataclass(frozen=True)
class PageToken:
    """Where a listing goes on.

    `after` is the sort key of the last item sent. `since` is the version of the sync token the listing began with (None
    for a full one). `until` is the version at its first page, from which the next sync token counts. `parameters` is a
    digest of the listing's parameters, which may not change between pages.
    """

    instance: str
    resource: str
    epoch: int
    after: tuple[str, str]
    since: int | None
    until: int
    parameters: str


def parameters_digest(query: Mapping[str, str]) -> str:
    """A short digest of a listing's parameters, page token and page size left out."""
    kept = sorted((key, value) for key, value in query.items() if key not in {"pageToken", "maxResults", "alt"})
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()[:12]


def encode(token: SyncToken | PageToken) -> str:
    """The token as URL-safe text."""
    return base64.urlsafe_b64encode(json.dumps(asdict(token), separators=(",", ":")).encode()).decode().rstrip("=")


def decode_sync_token(text: str) -> SyncToken | None:
    """The sync token in `text`; None when it is not one."""
    fields = _fields(text)
    try:
        return SyncToken(
            instance=str(fields["instance"]),
            resource=str(fields["resource"]),
            epoch=int(fields["epoch"]),
            since=int(fields["since"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def decode_page_token(text: str) -> PageToken | None:
    """The page token in `text`; None when it is not one."""
    fields = _fields(text)
    try:
        first, second = fields["after"]
        since = fields["since"]
        return PageToken(
            instance=str(fields["instance"]),
            resource=str(fields["resource"]),
            epoch=int(fields["epoch"]),
            after=(str(first), str(second)),
            since=None if since is None else int(since),
            until=int(fields["until"]),
            parameters=str(fields["parameters"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def _fields(text: str) -> dict[str, Any]:
    try:
        value = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
