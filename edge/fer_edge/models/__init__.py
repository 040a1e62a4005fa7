"""Model files: bundled models, model specs and the models of face detectors."""
