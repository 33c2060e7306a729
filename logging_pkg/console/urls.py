"""Addresses of the console: `path("console/", include("logging_pkg.console.urls"))`.

In: paths. Out: views. Never: a view that lets in everybody.
"""

from django.urls import path

from logging_pkg.console import views
from logging_pkg.console.pages import PAGES

app_name = "logging_pkg_console"
urlpatterns = [
    path("", views.home, name="home"),
    *(path(f"{name}/", views.page, {"name": name}, name=name) for name in PAGES),
    path("search/", views.search, name="search"),
    path("trace/", views.trace, name="trace"),
    path("trace/<str:some_id>/", views.trace, name="trace_of"),
    path("runbook/<str:alert>/", views.runbook, name="runbook"),
    path("metrics", views.metrics_text, name="metrics"),
    path("metrics.json", views.metrics_json, name="metrics_json"),
]
