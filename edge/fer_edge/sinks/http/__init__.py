"""A live view in a browser, and what monitoring reads of a run."""
