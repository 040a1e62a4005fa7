"""Event rules and the actions they trigger."""
