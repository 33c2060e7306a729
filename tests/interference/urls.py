"""Routes of the scenarios.

In: nothing. Out: urlpatterns. Never: an error page of its own.
"""

from __future__ import annotations

from django.urls import include, path, re_path

from tests.interference import data_views, rest, views

_NAMED = (
    "redirect cookies charset bytes-iterator no-response never-awaited nested-loop threads warns kept-alive "
    "failing failing-async group-failing excuse-me render-fails template stream stream-closed stream-map stream-failing "
    "stream-async stream-async-failing stream-endless waiting file real-file file-part body-async session session-untouched "
    "sign-in sign-in-async sign-out user-untouched whoami whoami-async members editors add-message csrf-token csrf-checked "
    "zipped zipped-stream conditional not-modified cached-page uncached decorated-async sensitive"
)
_DATA = (
    "reads cursors blocked writes transactions autocommit rolled-back committed non-atomic async-orm signals "
    "second-database broken-query constraint orphan"
)


def _named(module: object, names: str) -> list[object]:
    return [path(f"{name}/", getattr(module, name.replace("-", "_"))) for name in names.split()]


urlpatterns = [
    path("plain/", views.plain),
    re_path(r"^plain/(?P<word>\w+)/$", views.plain),
    path("plain-async/<int:number>/", views.plain_async),
    path("class/", views.ClassView.as_view()),
    path("class-async/", views.AsyncClassView.as_view()),
    path("class-decorated/", views.DecoratedView.as_view()),
    path("status/<int:code>/", views.status),
    path("raises/<str:kind>/", views.raises),
    path("raises-async/<str:kind>/", views.raises_async),
    path("body/<str:how>/", views.body),
    path("messages/", views.read_messages),
    *_named(views, _NAMED),
    path("db/", include(_named(data_views, _DATA))),  # type: ignore[arg-type]
    path("cache/<str:alias>/", data_views.cache),
    path("cache-async/<str:alias>/", data_views.cache_async),
    path("rest/who/", rest.Who.as_view()),
    path("rest/members/", rest.Members.as_view()),
    path("rest/lazy/", rest.Lazy.as_view()),
    path("rest/parsed/", rest.parsed),
    path("rest/failing/<str:kind>/", rest.failing),
    path("rest/throttled/", rest.throttled),
    path("rest/", include(rest.router.urls)),
]
