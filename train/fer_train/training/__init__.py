"""Training runs: recipes, epochs, checkpoints and the run folder."""
