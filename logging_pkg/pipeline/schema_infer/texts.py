"""What a text looks like: a format that a pattern can say, or something sensitive.

In: texts. Out: names of formats and of kinds of sensitive texts. Never: keeps a text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

from logging_pkg.pipeline.schema_infer.names import field_name

#: Format -> its pattern, in the words of JSON Schema. A fixed length makes it a format; the first that fits is taken.
FORMATS: Final[Mapping[str, str]] = {
    "UUID": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    "timestamp": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.,][0-9]+)?(Z|[+-][0-9]{2}:?[0-9]{2})?$",
    "date": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
    **{f"hex of {length}": f"^[0-9a-fA-F]{{{length}}}$" for length in (16, 32, 40, 64)},
}
#: Every format, where nothing is known yet.
ALL_FORMATS: Final = frozenset(FORMATS)
#: Those that identify something: many of them are an ID.
IDENTIFYING: Final = frozenset(FORMATS) - {"timestamp", "date"}

# `$` admits a newline behind it in Python, and not in JSON Schema.
_FORMATS = {name: re.compile(pattern.removesuffix("$") + r"\Z") for name, pattern in FORMATS.items()}
_SENSITIVE = {
    "an e-mail address": re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+"),
    "a token": re.compile(
        r"\beyJ[\w-]{8,}\.[\w-]{8,}|\b(?:Bearer|Basic|Token)\s+\S{8,}|\b(?:sk|pk|ghp|gho|ya29|xox[abp])[_.-]\w{8,}|"
        r"(?<![\w+/-])(?=[\w+/-]*[a-z])(?=[\w+/-]*[A-Z])(?=[\w+/-]*\d)[\w+/-]{24,}={0,2}(?![\w+/-])"
    ),
}
_MAYBE_ADDRESS = re.compile(
    r"(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7})(?![\w.])"
)
#: Last word of a field's name -> what it holds, whatever that looks like.
_SENSITIVE_NAMES = {
    **dict.fromkeys(("user", "username", "login", "customer", "owner", "author", "phone"), "a person"),
    **dict.fromkeys(("email", "mail"), "an e-mail address"),
    **dict.fromkeys(("ip", "address"), "an address"),
    **dict.fromkeys(("password", "passwd", "secret", "token", "authorization", "cookie", "session"), "a secret"),
}
#: Longer texts are looked at no further: what is sensitive shows at the beginning or nowhere.
_MAX_SEARCHED = 2000


def formats_of(text: str, possible: frozenset[str]) -> frozenset[str]:
    """Those of the possible formats that a text has."""
    return frozenset(name for name in possible if _FORMATS[name].match(text))


def sensitive_name(name: str) -> str:
    """What sensitive thing a field of this name is likely to hold; empty when none."""
    return _SENSITIVE_NAMES.get(field_name(name).removesuffix("_id").rpartition("_")[2], "")


def sensitive_look(text: str) -> str:
    """What sensitive thing a text looks like, or holds; empty when none."""
    searched = text[:_MAX_SEARCHED]
    if any(map(_is_address, _MAYBE_ADDRESS.findall(searched))):
        return "an IP address"
    return next((what for what, pattern in _SENSITIVE.items() if pattern.search(searched)), "")


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
