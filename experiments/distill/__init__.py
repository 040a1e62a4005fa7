"""Train an ensemble on one GPU and distill it into small networks: the source of the bundled models."""
