"""The same routes with error pages of the project's own.

In: the routes. Out: the same, and handlers. Never: a route of its own.
"""

from tests.interference.urls import urlpatterns

__all__ = ["handler404", "handler500", "urlpatterns"]

handler404 = "tests.interference.views.not_found"
handler500 = "tests.interference.views.server_error"
