"""The Django application: settings, start-up, middleware, system checks.

In: django.conf, requests and responses. Out: calls of `logging_pkg.instrumentation`. Never: logic that needs no Django.
"""
