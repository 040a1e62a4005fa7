"""Conversion of a trained network to verified TFLite files and a report."""
