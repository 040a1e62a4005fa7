"""One module for each form in which a data set is handed around."""
