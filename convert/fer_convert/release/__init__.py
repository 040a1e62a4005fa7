"""The models that fer-edge bundles, made from training runs."""
