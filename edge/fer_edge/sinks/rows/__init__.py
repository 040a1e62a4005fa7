"""Rows in files: one file that a run fills, or files that a camera's run goes on with for months."""
