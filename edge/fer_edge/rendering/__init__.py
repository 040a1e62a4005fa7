"""What leaves the program as pixels."""
