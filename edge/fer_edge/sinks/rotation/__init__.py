"""Outputs in many files: names with the time in them, a list of what was written, and how much of it is kept."""
