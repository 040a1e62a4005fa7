"""Read the results of runs into a page with charts or into a table."""
