"""The site's pages.

In: requests. Out: pages, or parts of them for HTMX.
Never: queries of their own beside the services', except in the reports that are bad on purpose.
"""
