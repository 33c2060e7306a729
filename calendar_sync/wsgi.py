"""The WSGI entry point: `gunicorn calendar_sync.wsgi`.

In: the environment. Out: `application`.
Never: settings other than those of DJANGO_SETTINGS_MODULE.
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "calendar_sync.settings")

application = get_wsgi_application()
# Now, and not at somebody's first request: an empty SECRET_KEY raises ImproperlyConfigured, and the views are imported.
_ = settings.SECRET_KEY, get_resolver().url_patterns
