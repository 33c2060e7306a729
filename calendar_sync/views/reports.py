"""Pages that are bad on purpose, so that monitoring has something to find. They exist only where DEMO_PAGES is set.

In: requests of signed-in users.
Out: a slow page, a page with an N+1 query, a failing page.
Never: a good example.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_required
from django.db.models import Count
from django.db.models.functions import ExtractYear
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from calendar_sync.models import Event

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    class Request(HttpRequest):
        """A request past the sign-in check."""

        user: User


SLOW_REPORT_S = 1.2
N_PLUS_ONE_ROWS = 50


class ReportFailed(RuntimeError):
    """What /reports/error/ raises."""


@require_safe
@login_required
def index(request: Request) -> HttpResponse:
    """Says what each report is there for."""
    return render(request, "calendar_sync/reports/index.html")


@require_safe
@login_required
def slow(request: Request) -> HttpResponse:
    """Events per year, after a sleep of SLOW_REPORT_S seconds that stands for an export nobody has optimised."""
    time.sleep(SLOW_REPORT_S)
    years = (
        Event.objects.filter(calendar__account__user=request.user)
        .order_by()
        .values(year=ExtractYear("starts_at"))
        .annotate(event_count=Count("pk"))
        .order_by("-year")
    )
    return render(request, "calendar_sync/reports/slow.html", {"years": years, "seconds": SLOW_REPORT_S})


@require_safe
@login_required
def n_plus_one(request: Request) -> HttpResponse:
    """The latest events with their calendars' names: one query for the events, and one more for each event's calendar.

    `select_related("calendar")` would make it one; leaving it out is the classic mistake.
    """
    events = Event.objects.filter(calendar__account__user=request.user).order_by("-starts_at")[:N_PLUS_ONE_ROWS]
    rows = [(event, event.calendar.summary) for event in events]
    return render(request, "calendar_sync/reports/n_plus_one.html", {"rows": rows})


@require_safe
@login_required
def error(request: Request) -> HttpResponse:
    """Raises ReportFailed."""
    raise ReportFailed("the report for this demonstration always fails")
