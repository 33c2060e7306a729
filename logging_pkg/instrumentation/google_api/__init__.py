"""Watch google-api-python-client below its own retries: one `google_api.call_finished` per HTTP attempt.

In: requests of the client (`requestBuilder=InstrumentedHttpRequest`, `http=InstrumentedHttp(...)`), batches included.
Out: events, correlation headers to allow-listed hosts. Never: changes a URL, a body, an answer or an exception.
"""

from logging_pkg.instrumentation.google_api.calls import google_account
from logging_pkg.instrumentation.google_api.request import InstrumentedHttpRequest
from logging_pkg.instrumentation.google_api.transport import InstrumentedHttp

__all__ = ["InstrumentedHttp", "InstrumentedHttpRequest", "google_account"]
