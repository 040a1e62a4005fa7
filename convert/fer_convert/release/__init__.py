"""The model that fer-edge bundles, made from a training run."""
