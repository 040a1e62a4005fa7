"""Data sets: reading, checking, splitting and augmentation."""
