"""The ASGI entry point: `uvicorn calendar_sync.asgi:application`.

In: the environment. Out: `application`.
Never: settings other than those of DJANGO_SETTINGS_MODULE.
"""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "calendar_sync.settings")

application = get_asgi_application()
# Reading it raises ImproperlyConfigured where it is empty: better here than at the first sign-in.
_ = settings.SECRET_KEY
