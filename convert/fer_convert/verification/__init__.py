"""Accuracy, agreement and latency of converted files."""
