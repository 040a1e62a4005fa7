"""Process many videos into Parquet, resumably, on one machine or a Ray cluster."""
