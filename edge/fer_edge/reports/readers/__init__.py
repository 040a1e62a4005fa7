"""The formats of results files, read row by row."""
