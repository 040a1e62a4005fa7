"""fer-edge: facial emotion recognition for the edge."""

from fer_edge._version import __version__

__all__ = ["__version__"]
