"""Creation of the bundled models from training runs."""
