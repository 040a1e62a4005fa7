"""Evaluation of trained networks: metrics, reports and plots."""
