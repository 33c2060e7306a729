"""What can go wrong in a call to Loki, told apart by what the caller should do next.

In: an HTTP answer, or the lack of one. Out: one exception naming URL, status, Loki's message and the next step.
Never: more than MESSAGE_LIMIT characters of an answer; Loki repeats whole stream selectors and lines in its messages.
"""

# ruff: noqa: N818 - the names say what happened, and all of them end up behind `except LokiError`

from __future__ import annotations

import re

from logging_pkg.exceptions import LokiError

MESSAGE_LIMIT = 500

# Loki 3.7's size limits: pkg/validation/validate.go (an entry, its metadata, a label), pkg/util/http.go (the
# body), the gRPC library (a push over server.grpc_server_max_recv_msg_size, answered 500 at every try) and
# pkg/querier/worker/scheduler_processor.go (an answer over the client's limit).
_SIZE_LIMIT = re.compile(
    r"larger than (the )?max|max entry size|structured metadata too large|message size too large|"
    r"request body too large|has label (name|value) too long",
    re.IGNORECASE,
)


class LokiUnreachable(LokiError):
    """No connection was made, so nothing was sent: a push may be repeated without a second thought."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(
            f"{url}: no connection ({_bounded(reason)}); nothing was sent. "
            "Is Loki running at this address? `logpipe stack status` says"
        )


class LokiUnanswered(LokiError):
    """The connection broke off, or time ran out, before the answer was complete; a push may have been stored.

    Before the entries are sent again, read back which of them are stored: a late repetition is counted twice by metric
    queries.
    """

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        super().__init__(
            f"{url}: no complete answer ({_bounded(reason)}); the request may have been carried out. "
            "Read back what is stored before sending again"
        )


class LokiAnswerError(LokiError):
    """The answer has a good status but is not what Loki sends: most likely another program listens at this address."""

    def __init__(self, url: str, reason: str, body: str) -> None:
        self.url = url
        super().__init__(
            f"{url}: not an answer of Loki ({_bounded(reason)}): {_bounded(body)!r}. Is this Loki's address?"
        )


class LokiIncomplete(LokiError):
    """A stream holds more entries with one timestamp than one query may return, so the range cannot be read in full."""

    def __init__(self, selector: str, timestamp_ns: int, page_entries: int) -> None:
        self.selector, self.timestamp_ns, self.page_entries = selector, timestamp_ns, page_entries
        super().__init__(
            f"{_bounded(selector)}: {page_entries} or more entries share the timestamp {timestamp_ns} ns, and one "
            "query returns no more than that; raise limits_config.max_entries_limit_per_query in loki.yaml and "
            "page_entries of LokiClient, or narrow the query with a line filter"
        )


class LokiStatusError(LokiError):
    """Loki answered with an error status.

    Attributes:
        url: the address asked, without its query.
        status: the HTTP status.
        message: Loki's own text, at most MESSAGE_LIMIT characters.
    """

    next_step = ""

    def __init__(self, url: str, status: int, message: str) -> None:
        self.url, self.status, self.message = url, status, _bounded(message)
        super().__init__(f"{url}: HTTP {status}: {self.message or 'no message'}; {self.next_step}")


class LokiRejected(LokiStatusError):
    """A 3xx or 4xx other than 429 and size limits: the same request will be refused again.

    A push is refused entry by entry: entries that break no rule *are stored*, although the answer to the whole batch is
    400.
    """

    next_step = "the same request will be refused again. Of a push, the entries that broke no rule are stored"


class LokiRateLimited(LokiStatusError):
    """429: an ingestion limit is reached. The tenant's limit refuses the request, a stream's limit the stream."""

    next_step = "wait, then read back what is stored and send the rest; see the ingestion limits in loki/loki.yaml"


class LokiTooLarge(LokiStatusError):
    """A size limit: 413 or 500 for a whole request or answer, 400 for one entry of a push.

    After a 400 the other entries of the batch *are stored*: read back which before sending them again.
    """

    next_step = (
        "over a size limit: ask for or send less at once; after a 400, read back which entries of the push are stored "
        "and set aside the one that is too large"
    )


class LokiServerError(LokiStatusError):
    """5xx: Loki failed. A push may have been stored."""

    next_step = "Loki failed and may have stored a push: see its log, read back what is stored, then send the rest"


def status_error(url: str, status: int, message: str) -> LokiStatusError:
    """The error for an answer with this status (300 or more) and this text."""
    if status == 429:
        return LokiRateLimited(url, status, message)
    if status == 413 or (status in (400, 500) and _SIZE_LIMIT.search(message)):
        return LokiTooLarge(url, status, message)
    if status >= 500:
        return LokiServerError(url, status, message)
    return LokiRejected(url, status, message)


def _bounded(text: str) -> str:
    one_line = " ".join(text.split())
    return one_line if len(one_line) <= MESSAGE_LIMIT else one_line[: MESSAGE_LIMIT - 1] + "…"
