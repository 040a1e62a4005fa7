"""From a face in a frame to its emotion scores."""
