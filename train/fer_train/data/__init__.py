"""Data sets: reading, checking, splitting, augmenting."""
