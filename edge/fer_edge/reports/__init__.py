"""What runs wrote, read again: as a page with charts, and as a table for pandas, polars or Arrow."""
