"""Training and evaluation of facial emotion classifiers."""
