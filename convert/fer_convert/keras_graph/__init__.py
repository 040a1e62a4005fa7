"""Changes to a Keras network before conversion that preserve its outputs."""
