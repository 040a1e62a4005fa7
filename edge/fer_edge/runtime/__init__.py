"""What the operating system, files and threads need."""
