"""Network architectures, and loading of trained networks."""
