"""What a run leaves when it is killed: ``python -m tests.faults``."""
