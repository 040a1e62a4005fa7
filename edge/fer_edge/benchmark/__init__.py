"""Benchmarks on the user's own device."""
