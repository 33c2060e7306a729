"""What is derived from the schemas: rules generated from them, and everything else checked against them.

In: a schema registry and a project's files. Out: rule files, problems. Never: Django, structlog.
"""
