"""How faces are found."""
