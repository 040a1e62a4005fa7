"""Damaged and hostile input for everything that is read: ``python -m tests.fuzz``."""
