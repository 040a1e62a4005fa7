"""Rotating output files: names with time fields, a journal, and retention."""
