"""Rows of Django's admin that lead to the waterfall of what made them.

In: a model's field or method with a correlation ID or a W3C traceparent. Out: a column with a link. Never: a query;
it is not imported where the admin is not installed.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from logging_pkg.console.errors import trace_url
from logging_pkg.context import parse_traceparent

_SHOWN = 12


class TraceLinkMixin:
    """Put `"trace"` into `list_display` or `readonly_fields`, and name the field in `trace_id_field`."""

    trace_id_field: str = "correlation_id"

    @admin.display(description="trace")
    def trace(self, row: Any) -> SafeString | str:
        """The beginning of the ID, as a link."""
        text = str(getattr(row, self.trace_id_field, "") or "")
        parsed = parse_traceparent(text)
        some_id = parsed[0] if parsed else text
        url = trace_url(some_id)
        return format_html('<a href="{}">{}…</a>', url, some_id[:_SHOWN]) if url else some_id or "–"
