"""Many videos, on one machine or a cluster, resumable, into Parquet; Ray schedules, pyarrow stores."""
