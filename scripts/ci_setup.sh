#!/bin/sh
# `make ci-setup`: install the requirements of optional tests, which are skipped without it. Run after `make setup`.
set -eu
python=$1

# tflite-support needs libusb; opencv-contrib-python needs libGL and glib; MediaPipe needs EGL and GLES.
missing=
for library in libusb-1.0.so.0:libusb-1.0-0 libGL.so.1:libgl1 libgthread-2.0.so.0:libglib2.0-0 \
    libEGL.so.1:libegl1 libGLESv2.so.2:libgles2; do
    "$python" -c 'import ctypes, sys; ctypes.CDLL(sys.argv[1])' "${library%%:*}" 2>/dev/null ||
        missing="$missing ${library#*:}"
done
# A browser that opens pages and plays annotated videos; this one can run in a single process.
command -v chromium-headless-shell >/dev/null || missing="$missing chromium-headless-shell"
# An RTSP camera: GStreamer's server, with Debian's Python.
/usr/bin/python3 tests/edge/sources/rtsp_server.py --check >/dev/null 2>&1 ||
    missing="$missing python3-gi gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-base gstreamer1.0-plugins-good \
    gstreamer1.0-plugins-ugly"
# An MQTT broker, its password tool, and OpenSSL for its certificates.
for program in mosquitto:mosquitto mosquitto_passwd:mosquitto openssl:openssl; do
    PATH="$PATH:/usr/sbin" command -v "${program%%:*}" >/dev/null || missing="$missing ${program#*:}"
done
if [ -n "$missing" ]; then
    echo "Installing$missing"
    if [ "$(id -u)" = 0 ]; then sudo=; else sudo="sudo -n"; fi
    $sudo env DEBIAN_FRONTEND=noninteractive sh -c \
        "apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing" </dev/null >/dev/null ||
        echo "Warning: cannot install$missing; tests that need these packages are skipped or fail" >&2
fi

echo "Installing PyTorch, a Keras backend"
"$python" -m pip install --quiet torch==2.13.0
