"""Sinks: the outputs that results are written to."""
