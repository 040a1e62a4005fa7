"""An RTSP camera for Debian's Python: GStreamer's RTSP server. Prints its port.

rtsp_server.py PORT PIPELINE [--udp] [--user NAME:PASSWORD]
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402


def main() -> None:
    """Serve one pipeline at /live, shared by all clients, until killed."""
    Gst.init(None)
    if sys.argv[1] == "--check":
        missing = [
            name for name in ("x264enc", "rtph264pay", "jpegenc") if Gst.ElementFactory.find(name) is None
        ]
        sys.exit(f"missing: {missing}" if missing else 0)
    port, pipeline, *options = sys.argv[1:]
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(port)
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(f"( {pipeline} )")
    factory.set_shared(True)
    if "--udp" in options:
        factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
    if "--user" in options:
        user, _, secret = options[options.index("--user") + 1].partition(":")
        auth, token = GstRtspServer.RTSPAuth(), GstRtspServer.RTSPToken()
        token.set_string("media.factory.role", "user")
        auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, secret), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("user", "media.factory.access", True)
        permissions.add_permission_for_role("user", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory("/live", factory)
    server.attach(None)
    print(server.get_bound_port(), flush=True)
    GLib.MainLoop().run()


main()
