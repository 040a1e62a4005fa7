"""The files that killed runs leave: ``python -m tests.faults``."""
