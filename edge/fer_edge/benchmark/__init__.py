"""Measurements on the user's own device."""
