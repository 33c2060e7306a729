"""Read tokens one after another.

In: the tokens of a query. Out: tokens, names and what was expected instead. Never: grammar.
"""

from __future__ import annotations

import re
import warnings

from logging_pkg.pipeline.logql.ast import Name
from logging_pkg.pipeline.logql.tokens import LogQLError, Token, tokenize

#: Go's regular expressions that Python writes otherwise; enough to tell a broken one from a whole one.
_GO_ONLY = (
    (re.compile(r"\\[pP](?:\{\^?\w+\}|\w)"), r"\\w"),
    (re.compile(r"\\z"), r"\\Z"),
    (re.compile(r"\\Q.*?\\E"), "x"),
)


class TokenStream:
    """A cursor over the tokens of one query."""

    def __init__(self, query: str) -> None:
        self.query = query
        self._tokens = tokenize(query)
        self._index = 0

    @property
    def next(self) -> Token:
        """The token the cursor stands before."""
        return self._tokens[self._index]

    @property
    def end(self) -> int:
        """Where the token read last ends."""
        return self._tokens[max(self._index - 1, 0)].end

    def read(self) -> Token:
        """Return the next token and step over it."""
        token = self.next
        self._index += token.kind != "end"
        return token

    def at(self, *texts: str) -> bool:
        """Whether the next token is one of these symbols or keywords."""
        return self.next.kind in ("symbol", "keyword") and self.next.text in texts

    def take(self, *texts: str) -> Token | None:
        """Step over the next token if it is one of these symbols or keywords."""
        return self.read() if self.at(*texts) else None

    def need(self, *texts: str) -> Token:
        """Step over one of these symbols or keywords."""
        if not self.at(*texts):
            raise self.expected(" or ".join(f'"{text}"' for text in texts))
        return self.read()

    def need_kind(self, kind: str, expected: str) -> Token:
        """Step over a token of this kind."""
        if self.next.kind != kind:
            raise self.expected(expected)
        return self.read()

    def name(self, expected: str = "a label name") -> Name:
        """Step over an identifier."""
        token = self.need_kind("identifier", expected)
        return Name(token.text, token.start, token.end)

    def names(self) -> tuple[Name, ...]:
        """Step over `(a, b, …)`, which may be empty."""
        self.need("(")
        names = []
        while not self.at(")"):
            names.append(self.name())
            if not self.take(","):
                break
            if self.at(")"):
                raise self.expected("a label name")
        self.need(")")
        return tuple(names)

    def string(self, expected: str = "a string in quotes") -> Name:
        """Step over a string; the name spans its quotes."""
        token = self.need_kind("string", expected)
        return Name(str(token.value), token.start, token.end)

    def regex(self) -> Name:
        """Step over a string that has to be a regular expression."""
        string = self.string("a regular expression in quotes")
        check_regex(string)
        return string

    def expected(self, expected: str) -> LogQLError:
        """The error that says what was expected in place of the next token."""
        token = self.next
        if token.kind == "keyword" and expected == "a label name":
            expected += f' ("{token.text}" is a word of LogQL)'
        return LogQLError(f"expected {expected}, found {token.shown}", token.start, token.end)


def check_regex(string: Name) -> re.Pattern[str]:
    """Compile a string of a query as a regular expression, anchored by nobody.

    Raises:
        LogQLError: it does not compile.
    """
    text = string.text
    for pattern, replacement in _GO_ONLY:
        text = pattern.sub(replacement, text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(text)
    except re.error as error:
        raise LogQLError(f"this regular expression does not compile: {error.msg}", string.start, string.end) from error
