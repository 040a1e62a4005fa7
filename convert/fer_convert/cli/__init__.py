"""The command line of ``fer-convert``."""
