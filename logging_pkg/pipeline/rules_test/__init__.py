"""Tests of rules: log lines in, samples and alerts out, evaluated by a real throwaway Loki.

In: test files (YAML in the shape of promtool's). Out: one result per expectation. Never: a Loki that holds anything
else, or a wait for real time: hours of log time lie in the past and are evaluated at once.
"""
