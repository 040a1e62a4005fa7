"""Cameras by their address: an index, a device, or a URL."""

from __future__ import annotations

from functools import partial

from fer_edge.errors import UsageError
from fer_edge.sources.base import Source, SourceRequest
from fer_edge.sources.local_camera import create_capture_source
from fer_edge.sources.network_camera import NetworkCamera
from fer_edge.sources.reconnecting import FOREVER, ReconnectingSource
from fer_edge.sources.urls import is_url, redact_credentials

__all__ = ["create_source"]


def create_source(request: SourceRequest) -> Source:
    """Make the source of one camera; raises UsageError for what is not a camera's address.

    Without ``reconnect_s`` a camera on the network is tried again for ever once it is lost, a device for 30
    seconds; and none that cannot be reached at first.
    """
    address = request.address
    if is_url(address):
        return _create_network_source(request)
    if not address.isdecimal() and not address.startswith("/dev/"):
        raise UsageError(
            f"expected a camera (an index, /dev/videoN, picamera, or an rtsp:// or http:// URL), got {address!r}; "
            "a file is read with: fer-edge video"
        )
    return create_capture_source(request)


def _create_network_source(request: SourceRequest) -> ReconnectingSource:
    name = redact_credentials(request.address)
    if request.size is not None or request.rate is not None:
        raise UsageError(
            f"{name}: a camera on the network cannot be asked for a size or rate; set them in the camera, or name its "
            "smaller stream"
        )
    return ReconnectingSource(
        name,
        partial(NetworkCamera, request.address),
        patience_s=FOREVER if request.reconnect_s is None else request.reconnect_s,
        waits=bool(request.reconnect_s),
    )
