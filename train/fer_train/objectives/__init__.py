"""Training objectives: labels, FER+ votes and distillation from teachers."""
