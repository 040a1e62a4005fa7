"""Documentation site: ``make docs`` builds it in build/docs."""
