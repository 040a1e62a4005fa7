"""Sources of frames: images, videos, streams and cameras."""
