"""Split LogQL into tokens that know where they stand.

In: the text of one query. Out: a list of Token, ended by one of kind `end`. Never: grammar, schemas, network.

Follows Loki 3.7 (pkg/logql/syntax/lex.go): keywords are case-insensitive, function names are identifiers unless an
opening parenthesis or a grouping follows, `#` starts a comment, durations are those of Prometheus or of Go.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from logging_pkg.exceptions import LogpipeError

KEYWORDS: Final = frozenset(
    {"and", "bool", "by", "decolorize", "drop", "group_left", "group_right", "ignoring", "json", "keep", "label_format"}
    | {"line_format", "logfmt", "of", "offset", "on", "or", "pattern", "regexp", "unless", "unpack", "unwrap"}
    | {"variants", "without"}
)

_PROMETHEUS_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_PROMETHEUS_UNITS = (31_536_000.0, 604_800.0, 86_400.0, 3_600.0, 60.0, 1.0, 0.001)
_GO_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_GO_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

_SCANNER = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    |(?P<range>\[[^\]]*\])
    |(?P<flag>--(?:strict|keep-empty)\b)
    |(?P<duration>-?(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|[smhdwy])(?:\d+\.?\d*(?:ns|us|µs|μs|ms|[smhdwy]))*(?![\w.]))
    |(?P<bytes>\d+(?:\.\d+)?(?:B|[kKMGTP]i?B?)(?!\w))
    |(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<identifier>[^\W\d]\w*)
    |(?P<symbol>\|[=~>]|![=~>]|=[~=]|[<>]=|[{}(),.=|+\-*/%^<>])
    """,
    re.VERBOSE,
)


class LogQLError(LogpipeError):
    """A query is not LogQL, or uses LogQL this parser does not know.

    Attributes:
        reason: what is wrong and what was expected, one sentence without the place.
        start, end: offsets of the offending characters in the query.
    """

    def __init__(self, reason: str, start: int, end: int) -> None:
        self.reason = reason
        self.start = start
        self.end = max(end, start + 1)
        super().__init__(f"at character {start + 1}: {reason}")


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: `identifier`, `keyword`, `string`, `number`, `duration`, `bytes`, `range`, `flag`, `symbol` or `end`.
        text: as written; keywords in lower case.
        start, end: offsets in the query; `text` is `query[start:end]` but for the case of keywords.
        value: what a string says, a number's value, the seconds of a duration or range.
    """

    kind: str
    text: str
    start: int
    end: int
    value: str | float = ""

    @property
    def shown(self) -> str:
        """How a message names this token."""
        return "the end of the query" if self.kind == "end" else f'"{self.text}"'


def tokenize(query: str) -> list[Token]:
    """Return the tokens of a query, the last of kind `end`.

    Raises:
        LogQLError: a character or literal that LogQL does not have; the offsets say where.
    """
    tokens = []
    position = 0
    while position < len(query):
        match = _SCANNER.match(query, position)
        if match is None:
            raise _unreadable(query, position)
        kind, text = str(match.lastgroup), match.group()
        if kind != "skip":
            tokens.append(_token(kind, text, position))
        position = match.end()
    tokens.append(Token("end", "", len(query), len(query)))
    return tokens


def _token(kind: str, text: str, start: int) -> Token:
    end = start + len(text)
    value: str | float = ""
    match kind:
        case "identifier" if text.lower() in KEYWORDS:
            kind, text = "keyword", text.lower()
        case "string":
            value = _unquote(text, start)
        case "number":
            value = float(text)
        case "duration":
            value = _seconds(text, start, end)
        case "range":
            # `[$__interval]` and its like are filled in by Grafana before Loki sees the query.
            value = 0.0 if re.fullmatch(r"\[\$(\w+|\{\w+\})\]", text) else _prometheus_seconds(text[1:-1], start, end)
        case _:
            pass
    return Token(kind, text, start, end, value)


def duration_ns(text: str) -> int:
    """Nanoseconds of a duration as a range has it: 90s, 1h30m, 2d.

    Raises:
        LogQLError: it is none.
    """
    tokens = tokenize(f"[{text}]")
    if len(tokens) != 2 or tokens[0].kind != "range":  # the second is the end
        raise LogQLError(f'"{text}" is not a duration such as 30s, 5m or 1h', 0, len(text))
    return round(float(tokens[0].value) * 1_000_000_000)


def _prometheus_seconds(text: str, start: int, end: int) -> float:
    match = _PROMETHEUS_DURATION.fullmatch(text)
    if match is None or not text:
        raise LogQLError(f'"{text}" is not a duration such as 30s, 5m or 1h', start, end)
    return sum(int(amount) * unit for amount, unit in zip(match.groups(), _PROMETHEUS_UNITS, strict=True) if amount)


def _seconds(text: str, start: int, end: int) -> float:
    unsigned = text.removeprefix("-")
    if _PROMETHEUS_DURATION.fullmatch(text):
        return _prometheus_seconds(text, start, end)
    parts = _GO_PART.findall(unsigned)
    if "".join(amount + unit for amount, unit in parts) != unsigned:
        raise LogQLError(f'"{text}" is not a duration such as 30s, 5m or 1h', start, end)
    total = sum(float(amount) * _GO_UNITS[unit] for amount, unit in parts)
    return -total if text.startswith("-") else total


_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"'])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL
)
_SIMPLE_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


def _unquote(text: str, start: int) -> str:
    if text.startswith("`"):
        return text[1:-1]

    def replace(match: re.Match[str]) -> str:
        simple, hex_byte, short, long, octal, unknown = match.groups()
        if simple and simple != "'":
            return _SIMPLE_ESCAPES[simple]
        if unknown or simple:
            place = start + 1 + match.start()
            raise LogQLError(
                f'"{match.group()}" is not an escape of a double-quoted string; write "\\\\" or use `backquotes`',
                place,
                place + len(match.group()),
            )
        return chr(int(octal, 8)) if octal else chr(int(hex_byte or short or long, 16))

    return _ESCAPE.sub(replace, text[1:-1])


def _unreadable(query: str, position: int) -> LogQLError:
    character = query[position]
    match character:
        case '"' | "`":
            return LogQLError("this string is not closed", position, len(query))
        case "'":
            return LogQLError("LogQL strings stand in double quotes or backquotes", position, position + 1)
        case "[":
            return LogQLError('this range is not closed with "]"', position, len(query))
        case _:
            return LogQLError(f'"{character}" has no meaning in LogQL', position, position + 1)
