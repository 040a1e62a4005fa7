"""What happens when faces show something: rules, and the actions that they start."""
