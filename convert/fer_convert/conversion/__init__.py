"""From a trained network to verified TFLite files and their report."""
