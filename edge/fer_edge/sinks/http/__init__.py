"""A live view for browsers, with health and metrics endpoints for monitoring."""
