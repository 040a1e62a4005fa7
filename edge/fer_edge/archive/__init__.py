"""Archives: many videos processed into Parquet, resumable, on one machine or a Ray cluster."""
