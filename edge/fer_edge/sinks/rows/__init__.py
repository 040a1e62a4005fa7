"""Row files: a single file for a run, or rotating files for a camera."""
