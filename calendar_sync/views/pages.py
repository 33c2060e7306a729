"""Dashboard and accounts: whole pages for browsers, parts of them for HTMX.

In: requests of signed-in users.
Out: HTML. A form sent without HTMX is answered with a redirect to the page it came from.
Never: another user's data; what is not the user's is 404, as if it did not exist.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from calendar_sync import sync
from calendar_sync.services import AccountSummary, CalendarService, DashboardService, record

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django_htmx.middleware import HtmxDetails

    class Request(HttpRequest):
        """A request past the sign-in check and the HTMX middleware."""

        user: User
        htmx: HtmxDetails


# Told to the browser with each change: the parts of the page that show events reload themselves.
EVENTS_CHANGED = "events-changed"


@require_safe
@login_required
def dashboard(request: Request) -> HttpResponse:
    """All accounts of the user, with switches for their calendars, and the next events."""
    record(request.user.pk, "dashboard_viewed")
    return render(request, "calendar_sync/dashboard.html", {"dashboard": DashboardService(request.user).dashboard()})


@require_safe
@login_required
def account_detail(request: Request, account_id: int) -> HttpResponse:
    """One account: its calendars and their next events."""
    summary = _account(request, account_id)
    record(request.user.pk, "account_viewed")
    events = DashboardService(request.user).upcoming(summary.account)
    return render(request, "calendar_sync/account.html", {"summary": summary, "events": events})


@require_POST
@login_required
def toggle_calendar(request: Request, calendar_id: int) -> HttpResponse:
    """Switch one calendar to `enabled` (1 or 0); HTMX gets its row and the account's count."""
    found = DashboardService(request.user).account_of_calendar(calendar_id)
    if found is None:
        raise Http404
    summary, calendar = found
    enabled = _enabled(request)
    if enabled is None:
        return _bad_enabled()
    record(request.user.pk, "calendar_toggled")
    CalendarService.toggle_calendar(calendar, enabled)
    if not request.htmx:
        return redirect("account", summary.account.pk)
    context = {"calendar": calendar, "summary": summary}
    return _events_changed(render(request, "calendar_sync/partials/calendar_toggled.html", context))


@require_POST
@login_required
def toggle_all_calendars(request: Request, account_id: int) -> HttpResponse:
    """Switch all calendars of an account to `enabled` (1 or 0); HTMX gets the account's panel."""
    summary = _account(request, account_id)
    enabled = _enabled(request)
    if enabled is None:
        return _bad_enabled()
    record(request.user.pk, "calendar_toggled")
    CalendarService.bulk_toggle_calendars(summary.account, enabled)
    if not request.htmx:
        return redirect("account", account_id)
    for calendar in summary.calendars:
        calendar.enabled = enabled
    return _panel(request, summary)


@require_POST
@login_required
def sync_account(request: Request, account_id: int) -> HttpResponse:
    """Sync an account with Google while the user waits; HTMX gets the account's panel with the result."""
    account = DashboardService(request.user).google_account(account_id)
    if account is None:
        raise Http404
    record(request.user.pk, "sync_requested")
    report = sync.sync_account(account, "page", patience_s=settings.GOOGLE_PATIENCE_S)
    if not request.htmx:
        level = messages.ERROR if report.failed else messages.SUCCESS
        messages.add_message(request, level, _in_words(report))
        return redirect("account", account_id)
    summary = _account(request, account_id)
    return _panel(request, summary, result=_in_words(report), result_failed=bool(report.failed))


def _account(request: Request, account_id: int) -> AccountSummary:
    summary = DashboardService(request.user).account(account_id)
    if summary is None:
        raise Http404
    return summary


def _panel(request: Request, summary: AccountSummary, **context: object) -> HttpResponse:
    context["summary"] = summary
    return _events_changed(render(request, "calendar_sync/partials/account_panel.html", context))


def _events_changed(response: HttpResponse) -> HttpResponse:
    response["HX-Trigger-After-Swap"] = EVENTS_CHANGED
    return response


def _enabled(request: Request) -> bool | None:
    return {"1": True, "0": False}.get(request.POST.get("enabled", ""))


def _bad_enabled() -> HttpResponse:
    return HttpResponseBadRequest("enabled: expected 1 or 0")


def _in_words(report: sync.AccountReport) -> str:
    """The result of a sync as one sentence."""
    if report.failed:
        first = report.failed[0]
        more = f" (and {len(report.failed) - 1} more)" if len(report.failed) > 1 else ""
        return f"Sync failed for {first.calendar or 'the list of calendars'}{more}: {first.error}"
    if report.skipped:
        return "Another sync of this account is running; its result will show here."
    events = report.events
    if not (events.created or events.updated or events.deleted):
        return "Synced: everything is up to date."
    counts = f"{events.created} new, {events.updated} changed, {events.deleted} deleted, {events.unchanged} as before"
    return f"Synced: {counts}."
