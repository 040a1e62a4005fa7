"""Operating system, file and thread utilities."""
