"""Django's admin over what is synced: lists for staff, each row one click from the trace of its newest sync.

In: requests of staff. Out: lists of accounts and of calendars. Never: a form, because the data is Google's and the sync
state the sync's; an e-mail address, a token, a calendar's or an event's text; a query per row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.text import capfirst

from calendar_sync.models import Calendar, GoogleAccount, SyncState
from logging_pkg.console.admin import TraceLinkMixin

if TYPE_CHECKING:
    _ModelAdmin = admin.ModelAdmin[Any]
else:
    _ModelAdmin = admin.ModelAdmin


class StateAdmin(TraceLinkMixin, _ModelAdmin):
    """Rows with sync state, to look at. Whoever may see the console may see them."""

    list_display_links = None
    list_per_page = 50
    ordering = ("pk",)
    #: All that is read from the database: what is not read nothing can show.
    read_fields: tuple[str, ...] = ("last_synced_at", "failures_in_a_row", "last_error", "correlation_id")

    def get_urls(self) -> list[URLPattern]:
        """The list alone: a page of a single row would be headed by what `str` makes of it, an address or a title."""
        name = f"{self.opts.app_label}_{self.opts.model_name}_changelist"
        return [path("", self.admin_site.admin_view(self.changelist_view), name=name)]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """All rows, with what is shown of them."""
        return super().get_queryset(request).only(*self.read_fields)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Headed by what it lists: Django would ask to select a row."""
        return super().changelist_view(request, {"title": capfirst(str(self.opts.verbose_name_plural))})

    def has_module_permission(self, request: HttpRequest) -> bool:
        """The site lets nobody but staff in."""
        return True

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """The site lets nobody but staff in."""
        return True

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Nobody."""
        return False

    @admin.display(description="last error")
    def error(self, row: SyncState) -> str:
        """The kind of error: what Google or the database said beside it may name a calendar."""
        return row.last_error.partition(":")[0]


class AccountAdmin(StateAdmin):
    """Connected accounts, by their users."""

    list_display = ("id", "trace", "user", "last_synced_at", "failures_in_a_row", "error")
    list_select_related = ("user",)
    read_fields = (*StateAdmin.read_fields, "user__username")


class CalendarAdmin(StateAdmin):
    """Calendars, by the users of their accounts."""

    list_display = ("id", "trace", "user", "account_id", "enabled", "last_synced_at", "failures_in_a_row", "error")
    list_select_related = ("account__user",)
    read_fields = (*StateAdmin.read_fields, "enabled", "account__user__username")

    @admin.display(description="user", ordering="account__user")
    def user(self, row: Calendar) -> str:
        """Who has connected its account."""
        return row.account.user.get_username()


site = admin.AdminSite()
site.site_header = site.site_title = "Calendar Sync"
site.index_title = "What is synced"
site.register(GoogleAccount, AccountAdmin)
site.register(Calendar, CalendarAdmin)
