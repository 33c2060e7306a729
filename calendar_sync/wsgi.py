"""The WSGI entry point: `gunicorn calendar_sync.wsgi`.

In: the environment. Out: `application`.
Never: settings other than those of DJANGO_SETTINGS_MODULE.
"""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "calendar_sync.settings")

application = get_wsgi_application()
# Reading it raises ImproperlyConfigured where it is empty: better here than at the first sign-in.
_ = settings.SECRET_KEY
