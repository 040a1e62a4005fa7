"""Conversion of trained networks into TFLite files, and the proof of what it cost."""
