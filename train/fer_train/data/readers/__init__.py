"""Readers for the formats that data sets are distributed in."""
