"""The command line of ``fer-edge``, and what the three programs share."""
