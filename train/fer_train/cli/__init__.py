"""The command line of ``fer-train``."""
