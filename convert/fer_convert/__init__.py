"""Conversion of trained networks to TFLite, and measurement of the accuracy lost."""
