"""What a converted file is worth."""
