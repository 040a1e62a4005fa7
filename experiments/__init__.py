"""The experiments behind the defaults; docs/experiments.md has the results."""
