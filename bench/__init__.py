"""The benchmarks that the figures of the README come from."""
