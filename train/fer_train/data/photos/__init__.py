"""Cropping of faces from photos in label folders."""
