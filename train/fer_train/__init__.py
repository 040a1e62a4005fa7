"""Training and evaluation of facial emotion classifiers on FER-2013 or your own faces."""
