"""What every template may use.

In: a request. Out: a few site-wide values.
Never: queries.
"""

from django.conf import settings
from django.http import HttpRequest


def site(request: HttpRequest) -> dict[str, object]:
    """`demo_pages`: whether the deliberately bad reports are reachable."""
    return {"demo_pages": settings.DEMO_PAGES}
