"""Which face is which over time."""
