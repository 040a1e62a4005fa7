"""Classify faces: from a face in a frame to its emotion scores."""
