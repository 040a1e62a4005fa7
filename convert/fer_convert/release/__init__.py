"""From a run to the model that fer-edge bundles."""
