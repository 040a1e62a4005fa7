"""Model files: the bundled ones, and the spec that each carries."""
