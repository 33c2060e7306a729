"""What an operation is given, and the checks they share.

In: an authenticated account, path parameters and the request.
Out: the call as one value; ApiError for a parameter or precondition that does not hold.
Never: a parameter that is ignored: what the server does not implement is refused.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from calendar_sync.fake_google.channels import Channels
from calendar_sync.fake_google.errors import invalid_parameter, precondition_failed
from calendar_sync.fake_google.messages import ApiError, Request, Resource, Response
from calendar_sync.fake_google.records import Account, CalendarRecord
from calendar_sync.fake_google.store import Store
from calendar_sync.fake_google.times import instant

# What google-api-python-client and any HTTP client may add; none changes an operation's answer here.
COMMON_PARAMETERS = frozenset({"alt", "prettyPrint", "quotaUser", "key"})
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Call:
    """One authenticated call: who asks, for what. `path` holds the path parameters, percent-decoded."""

    store: Store
    account: Account
    request: Request
    path: Mapping[str, str]
    channels: Channels

    @property
    def query(self) -> Mapping[str, str]:
        """The query parameters."""
        return self.request.query

    def calendar(self) -> CalendarRecord:
        """The calendar that the path names; raises ApiError 404."""
        return self.store.calendar(self.account, self.path["calendarId"])

    def check_parameters(self, known: frozenset[str] = frozenset()) -> None:
        """Raise ApiError 400 for a query parameter that is neither common nor in `known`."""
        for name in sorted(self.query.keys() - known - COMMON_PARAMETERS):
            raise invalid_parameter(name, f"This server does not implement the parameter {name}.")

    def check_sync_token(self, forbidden: frozenset[str], only_true: frozenset[str]) -> None:
        """Raise ApiError 400 where a sync token comes with a parameter it forbids, or one it allows only as true."""
        if "syncToken" not in self.query:
            return
        wrong = sorted(forbidden & self.query.keys()) + [
            f"{name}=false" for name in sorted(only_true & self.query.keys()) if not self.flag(name)
        ]
        if wrong:
            message = f"Sync token cannot be used with the following parameters: {', '.join(wrong)}."
            raise ApiError(400, "badRequest", message, location="syncToken")

    def check_precondition(self, etag: str) -> None:
        """Raise ApiError 412 when `If-Match` names another version."""
        wanted = self.request.headers.get("if-match")
        if wanted is not None and wanted not in {"*", etag}:
            raise precondition_failed()

    def flag(self, name: str) -> bool:
        """A boolean parameter, false when it is not there; raises ApiError 400 for anything but true and false."""
        text = self.query.get(name, "false").lower()
        if text not in {"true", "false"}:
            raise invalid_parameter(name, f"Invalid boolean value: '{self.query[name]}'.")
        return text == "true"

    def time(self, name: str) -> dt.datetime | None:
        """A time parameter with its offset; None when it is not there. Raises ApiError 400 for anything else."""
        return _time(name, self.query[name]) if name in self.query else None

    def time_or_date(self, name: str) -> dt.datetime | None:
        """As `time`; a date alone is its midnight in UTC, as an all-day event's start is."""
        text = self.query.get(name)
        return None if text is None else _time(name, f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text)


Operation = Callable[[Call], Response]


def listed(
    kind: str, head: Resource, items: list[Resource], next_page_token: str | None, next_sync_token: str | None
) -> Response:
    """The answer to a list request: what comes before the items, the items, and at most one of the two tokens."""
    body: Resource = {"kind": kind, **head, "items": items}
    if next_page_token is not None:
        body["nextPageToken"] = next_page_token
    if next_sync_token is not None:
        body["nextSyncToken"] = next_sync_token
    return Response(200, body)


def _time(name: str, text: str) -> dt.datetime:
    try:
        return instant(text)
    except ValueError as error:
        raise ApiError(400, "badRequest", "Bad Request", location=name) from error
