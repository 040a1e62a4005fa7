"""An RTSP camera whose image shows the monotonic clock as bars; prints its port.

Runs on GStreamer with Debian's Python.
"""

import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

WIDTH, HEIGHT, RATE, BITS = 640, 480, 25, 32
LAUNCH = (
    f"( appsrc name=clock is-live=true format=time do-timestamp=true "
    f"caps=video/x-raw,format=GRAY8,width={WIDTH},"
    f"height={HEIGHT},framerate={RATE}/1 ! videoconvert ! video/x-raw,format=I420 "
    f"! x264enc tune=zerolatency speed-preset=ultrafast key-int-max={2 * RATE} bitrate=2000 "
    f"! rtph264pay name=pay0 pt=96 config-interval=1 )"
)


def draw() -> bytes:
    """Return a gray image whose bars are the bits of the time in milliseconds, lowest first."""
    number = int(time.monotonic() * 1000) % (1 << BITS)
    bar = WIDTH // BITS
    row = b"".join((b"\xff" if number >> bit & 1 else b"\x00") * bar for bit in range(BITS))
    return row * HEIGHT


def configure(_factory: object, media: "GstRtspServer.RTSPMedia") -> None:
    """Push an image every 1/25 s while the media exists."""
    source = media.get_element().get_by_name("clock")

    def push() -> bool:
        return source.emit("push-buffer", Gst.Buffer.new_wrapped(draw())) == Gst.FlowReturn.OK

    GLib.timeout_add(1000 // RATE, push)


Gst.init(None)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1] if len(sys.argv) > 1 else "0")
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(LAUNCH)
factory.set_shared(True)
factory.connect("media-configure", configure)
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
print(server.get_bound_port(), flush=True)
GLib.MainLoop().run()
