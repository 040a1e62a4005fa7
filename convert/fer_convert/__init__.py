"""Conversion of trained networks into TFLite files, and the measurement of what it costs."""
