"""The TFLite file."""
