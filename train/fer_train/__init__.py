"""Training of facial emotion classifiers on FER-2013 or own faces, and the measuring of what they learned."""
