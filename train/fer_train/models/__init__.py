"""Architectures, and trained networks in files."""
