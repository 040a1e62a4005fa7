"""Calibration and rounding for int8."""
