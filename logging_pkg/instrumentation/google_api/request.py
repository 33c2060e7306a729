"""googleapiclient's HttpRequest, which says which call its attempts belong to.

In: the client's requests. Out: their calls, with page numbers and what was waited before a retry.
Never: changes what is sent, returned or raised.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from googleapiclient.http import HttpRequest

from logging_pkg.instrumentation.google_api.calls import ApiCall, running

_LISTING_METHODS = ("list", "instances")


class InstrumentedHttpRequest(HttpRequest):  # type: ignore[misc]
    """googleapiclient's HttpRequest that knows which call its attempts belong to.

    Executing one object again is a further attempt of the same call; a copy for the next page is a new call.

    Attributes:
        retry_delay_s: what the caller waited before executing it again; goes into that attempt's event.
        quota_delay_s: what the caller waited for its turn, so as not to exceed a quota; likewise.
    """

    retry_delay_s: float | None = None
    quota_delay_s: float | None = None
    _sleep: Callable[[float], Any]
    _watched_call: ApiCall | None = None
    _watched_uri: str | None = None

    def execute(self, http: Any = None, num_retries: int = 0) -> Any:
        """Execute the request as googleapiclient does; raises what it raises."""
        call = self._current_call()
        call.retry_delay_s, self.retry_delay_s = self.retry_delay_s, None
        call.quota_delay_s, self.quota_delay_s = self.quota_delay_s, None
        sleep = self._sleep
        if num_retries:
            self._sleep = _noting(call, sleep)
        result = None
        try:
            with running(call):
                result = super().execute(http=http, num_retries=num_retries)
            return result
        finally:
            self._sleep = sleep
            # The client rewrites a very long GET as a POST: executed again, that is still the same call.
            self._watched_uri = self.uri
            call.flush(result)

    def _current_call(self) -> ApiCall:
        call = self._watched_call
        if call is None or self._watched_uri != self.uri:
            page = call.page if call is not None else None
            call = ApiCall(_operation_of(self.methodId), self._page_number(page))
            self._watched_call, self._watched_uri = call, self.uri
        return call

    def _page_number(self, previous: int | None) -> int | None:
        if not str(self.methodId).endswith(_LISTING_METHODS):
            return None
        uri = str(self.uri)
        return (previous or 1) + 1 if "?pageToken=" in uri or "&pageToken=" in uri else 1


def _noting(call: ApiCall, sleep: Callable[[float], Any]) -> Callable[[float], Any]:
    """The client's own waiting between its retries, noted."""

    def noting_sleep(seconds: float) -> Any:
        call.retry_delay_s = seconds
        return sleep(seconds)

    return noting_sleep


def _operation_of(method_id: object) -> str:
    """`calendar.events.list` -> `events.list`."""
    name = str(method_id or "unlisted")
    return name.split(".", 1)[-1][:64] if "." in name else name[:64]
