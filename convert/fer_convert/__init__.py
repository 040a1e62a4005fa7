"""Conversion of trained networks to TFLite files, and measurement of the loss of accuracy."""
