"""Release documents: the licenses of the installed packages and the bill of materials."""
