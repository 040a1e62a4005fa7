"""Rendering: annotated and anonymized images."""
