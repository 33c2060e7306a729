"""The event declarations of this project: one JSON Schema (draft 2020-12) per event, and envelope.json.

In: nothing. Out: data files that `logging_pkg.schemas` loads. Never: code.
"""
