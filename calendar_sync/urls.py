"""Addresses of the site.

In: paths. Out: views. IDs are route parameters, so a metric has one series per route and not one per account.
Never: logic, other than leaving out what a setting switches off.
"""

from django.conf import settings
from django.contrib.auth.views import LoginView, LogoutView
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from calendar_sync.admin import site
from calendar_sync.views import health, notifications, pages, reports

urlpatterns: list[URLPattern | URLResolver] = [
    path("", RedirectView.as_view(pattern_name="dashboard")),
    path("healthz", health.healthz, name="healthz"),
    path(
        "login/",
        LoginView.as_view(template_name="calendar_sync/login.html", redirect_authenticated_user=True),
        name="login",
    ),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("google/notifications", notifications.google_notification, name="google_notification"),
    path("dashboard/", pages.dashboard, name="dashboard"),
    path("accounts/<int:account_id>/", pages.account_detail, name="account"),
    path("accounts/<int:account_id>/sync", pages.sync_account, name="sync_account"),
    path("accounts/<int:account_id>/toggle", pages.toggle_all_calendars, name="toggle_all_calendars"),
    path("calendars/<int:calendar_id>/toggle", pages.toggle_calendar, name="toggle_calendar"),
    path("console/", include("logging_pkg.console.urls")),
    path("admin/", site.urls),
]
# Their pages tell the correlation ID, and lead staff to its waterfall.
handler404 = "logging_pkg.console.errors.page_not_found"
handler500 = "logging_pkg.console.errors.server_error"
if settings.DEMO_PAGES:
    urlpatterns += [
        path("reports/", reports.index, name="reports"),
        path("reports/slow/", reports.slow, name="report_slow"),
        path("reports/n-plus-one/", reports.n_plus_one, name="report_n_plus_one"),
        path("reports/error/", reports.error, name="report_error"),
        path("reports/overlaps/", reports.overlaps, name="report_overlaps"),
        path("reports/stuck/", reports.stuck, name="report_stuck"),
        path("reports/late/", reports.late, name="report_late"),
        path("reports/neighbour/", reports.neighbour, name="report_neighbour"),
        path("reports/rejected/", reports.rejected, name="report_rejected"),
    ]
if settings.DEBUG_TOOLBAR:
    urlpatterns.append(path("__debug__/", include("debug_toolbar.urls")))
