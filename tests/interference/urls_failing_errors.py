"""The same routes with an error page that fails itself.

In: the routes. Out: the same, and a handler. Never: a route of its own.
"""

from tests.interference.urls import urlpatterns

__all__ = ["handler500", "urlpatterns"]

handler500 = "tests.interference.views.failing_server_error"
