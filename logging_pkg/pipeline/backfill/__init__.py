"""Recorded series over a gap, computed again from the logs and written where the gap was.

In: recording rules, a range, a Loki that has the lines, a Prometheus that lacks the samples. Out: the samples the ruler
would have written, and those of Prometheus's own rules. Never: a sample over one that is there.
"""
