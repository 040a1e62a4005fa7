"""Changes to a Keras network before conversion that keep its outputs."""
