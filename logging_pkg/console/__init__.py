"""The console: what the log says about the running system, in the browser, for staff.

In: the HTTP interfaces of Loki, Prometheus and Alertmanager. Out: pages, a metrics endpoint, the way from an
error page to its waterfall. Never: a number that is not read from there, a model, a write.
"""
