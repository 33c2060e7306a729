"""Watching HTTP requests: from the first line to the last byte, and while they are stuck.

In: plain values of requests and responses. Out: `http.*` events. Never: imports Django.
"""
