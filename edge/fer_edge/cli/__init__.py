"""The command line of ``fer-edge``, and code shared by the three programs."""
