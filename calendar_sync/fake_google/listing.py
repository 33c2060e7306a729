"""Pages, page tokens and sync tokens, the same for the calendar list and for a calendar's events.

In: the records of one resource and the query parameters of a list request.
Out: one page: its records, and either the next page token or the next sync token, never both.
Never: JSON bodies or knowledge of what the records are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from calendar_sync.fake_google import tokens
from calendar_sync.fake_google.errors import full_sync_required, invalid_parameter
from calendar_sync.fake_google.messages import ApiError


class Record(Protocol):
    """What can be listed: it has a version and an ID."""

    version: int

    @property
    def id(self) -> str: ...


RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True)
class Resource:
    """What is being listed: its name in tokens, the epoch its tokens must carry, the store's instance and version."""

    name: str
    epoch: int
    instance: str
    version: int


@dataclass(frozen=True)
class Page(Generic[RecordT]):
    """One page of a listing."""

    records: list[RecordT]
    next_page_token: str | None
    next_sync_token: str | None


def list_page(
    resource: Resource,
    records: Iterable[RecordT],
    query: Mapping[str, str],
    *,
    sort_key: Callable[[RecordT], tuple[str, str]],
    keep: Callable[[RecordT], bool],
    default_size: int,
    largest_size: int,
    offers_sync_token: bool = True,
) -> Page[RecordT]:
    """The page that `query` asks for.

    A full listing holds what `keep` says, sorted by `sort_key`. A listing with a sync token holds all that changed
    since, tombstones included, in the order of change, and `keep` is not asked. The next sync token counts from the
    version at the *first* page, so a change made while somebody pages comes with the next sync.

    Raises ApiError 410 `fullSyncRequired` for a sync token that has expired or is none, 400 for a foreign page token.
    """
    size = page_size(query, default_size, largest_size)
    digest = tokens.parameters_digest(query)
    after = ("", "")
    until = resource.version
    since = _since(resource, query["syncToken"]) if "syncToken" in query else None
    if "pageToken" in query:
        cursor = tokens.decode_page_token(query["pageToken"])
        ours = (resource.instance, resource.name, digest)
        if cursor is None or (cursor.instance, cursor.resource, cursor.parameters) != ours:
            raise ApiError(400, "invalid", "Invalid page token value.", location="pageToken")
        if cursor.epoch < resource.epoch and cursor.since is not None:
            raise full_sync_required()
        after, until, since = cursor.after, cursor.until, cursor.since

    if since is None:
        order = sort_key
        chosen = [record for record in records if keep(record)]
    else:
        order = _by_version
        chosen = [record for record in records if record.version > since]
    rest = sorted((key, index) for index, record in enumerate(chosen) if (key := order(record)) > after)
    page = [chosen[index] for _, index in rest[:size]]
    if len(rest) > size:
        token = tokens.PageToken(
            instance=resource.instance,
            resource=resource.name,
            epoch=resource.epoch,
            after=rest[size - 1][0],
            since=since,
            until=until,
            parameters=digest,
        )
        return Page(page, tokens.encode(token), None)
    if not offers_sync_token:
        return Page(page, None, None)
    sync_token = tokens.SyncToken(resource.instance, resource.name, resource.epoch, until)
    return Page(page, None, tokens.encode(sync_token))


def page_size(query: Mapping[str, str], default: int, largest: int) -> int:
    """`maxResults` of the query, cut to `largest` as Google does; raises ApiError 400 when it is no count."""
    text = query.get("maxResults", str(default))
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise invalid_parameter("maxResults", f"Invalid integer value: '{text}'.")
    return min(int(text), largest)


def _since(resource: Resource, text: str) -> int:
    token = tokens.decode_sync_token(text)
    ours = (resource.instance, resource.name, resource.epoch)
    if token is None or (token.instance, token.resource, token.epoch) != ours:
        raise full_sync_required()
    return token.since


def _by_version(record: Record) -> tuple[str, str]:
    return (f"{record.version:012d}", record.id)
