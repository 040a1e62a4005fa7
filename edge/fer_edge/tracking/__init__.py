"""Track faces over time."""
