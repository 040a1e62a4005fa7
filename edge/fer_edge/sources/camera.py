"""Camera sources, selected by address: an index, a device or a URL."""

from __future__ import annotations

from functools import partial

from fer_edge.errors import UsageError
from fer_edge.sources.base import Source, SourceRequest
from fer_edge.sources.damaged_frames import DamagedFrames
from fer_edge.sources.local_camera import create_capture_source
from fer_edge.sources.network_camera import NetworkCamera
from fer_edge.sources.reconnecting import FOREVER, ReconnectingSource
from fer_edge.sources.urls import is_url, redact_credentials

__all__ = ["create_source"]


def create_source(request: SourceRequest) -> Source:
    """Create the source for one camera.

    Without ``reconnect_s``, a lost network camera is retried forever and a local device for 30 seconds. A camera
    that cannot be reached at startup is not retried. Raises UsageError if the address is not a camera's.
    """
    address = request.address
    if is_url(address):
        return _create_network_source(request)
    if not address.isdecimal() and not address.startswith("/dev/"):
        raise UsageError(
            f"{address!r} is not a camera address; use an index, /dev/videoN, picamera, or an rtsp:// or http:// URL",
            hint="to read a file, use: fer-edge video",
        )
    return create_capture_source(request)


def _create_network_source(request: SourceRequest) -> ReconnectingSource:
    name = redact_credentials(request.address)
    if request.size is not None or request.rate is not None:
        raise UsageError(
            f"{name}: size and rate cannot be set for a network camera; set them in the camera's settings, or use the "
            "address of its smaller stream"
        )
    return ReconnectingSource(
        name,
        partial(NetworkCamera, request.address, damaged=DamagedFrames(name)),
        patience_s=FOREVER if request.reconnect_s is None else request.reconnect_s,
        wait_at_startup=bool(request.reconnect_s),
    )
