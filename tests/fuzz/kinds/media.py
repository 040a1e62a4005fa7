"""Images and videos, intact and damaged, in every common container."""

from __future__ import annotations

import functools
import io
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from PIL import Image as Pillow

from fer_edge.errors import FerEdgeError
from fer_edge.recognizer import EmotionRecognizer
from fer_edge.sources.image_io import load_image
from fer_edge.sources.jpeg_stream import JpegSplitter
from fer_edge.sources.video import VideoSource
from fer_edge.types import Frame
from tests.fuzz.case import Kind
from tests.fuzz.kinds.mutation import damaged_bytes

__all__ = ["MEDIA", "portrait"]

_PORTRAIT: Final = Path(__file__).parents[2] / "data/grace_hopper.jpg"
_FRAMES: Final = 12
_MOST_FRAMES: Final = 400  # a damaged index may repeat frames


@functools.cache
def portrait() -> np.ndarray:
    """Return the portrait at a small size, uint8 (150, 128, 3) BGR."""
    image = cv2.imread(str(_PORTRAIT))
    assert image is not None
    return np.asarray(cv2.resize(image, (128, 150), interpolation=cv2.INTER_AREA), np.uint8)


# --- images ---


@functools.cache
def _images() -> dict[str, bytes]:
    image = portrait()
    by_opencv = {
        suffix: cv2.imencode(suffix, image)[1].tobytes()
        for suffix in (".jpg", ".png", ".bmp", ".webp", ".ppm")
    }
    by_opencv["16.png"] = cv2.imencode(".png", image.astype(np.uint16) * 257)[1].tobytes()
    return by_opencv | {
        f".{name}": _by_pillow(name, **options)
        for name, options in {
            "gif": {},
            "tiff": {"compression": "tiff_lzw"},
            "jp2": {},
            "tga": {},
            "avif": {},
        }.items()
        if name != "avif" or "AVIF" in Pillow.registered_extensions().values()
    }


def _by_pillow(name: str, **options: Any) -> bytes:
    content = io.BytesIO()
    kind = {"jp2": "JPEG2000"}.get(name, name.upper())
    Pillow.fromarray(portrait()[..., ::-1]).save(content, kind, **options)
    return content.getvalue()


def _damaged_images() -> SearchStrategy[tuple[str, bytes]]:
    return st.sampled_from(sorted(_images())).flatmap(
        lambda suffix: st.tuples(st.just(suffix), damaged_bytes(_images()[suffix]))
    )


@functools.cache
def _recognizer() -> EmotionRecognizer:
    return EmotionRecognizer()


def _analyze_image(value: tuple[str, bytes], folder: Path) -> None:
    suffix, content = value
    path = folder / f"image{suffix}"
    path.write_bytes(content)
    try:
        image = load_image(path).image
        assert image.dtype == np.uint8
        assert image.ndim == 3
        for face in _recognizer().analyze(image):
            box = face.detection.box
            assert 0 <= box.x <= box.x + box.width <= image.shape[1]
            assert abs(sum(face.scores.values) - 1) < 1e-3
    finally:
        # An input must not affect the next one.
        assert len(_recognizer().analyze(portrait())) == 1


# --- videos ---

_CONTAINERS: Final = {
    "video.mp4": ("libx264", "yuv420p", {"movflags": "faststart"}),
    "fragments.mp4": ("libx264", "yuv420p", {"movflags": "frag_keyframe+empty_moov"}),
    "video.mov": ("mpeg4", "yuv420p", {}),
    "video.mkv": ("libx264", "yuv444p", {}),
    "video.webm": ("libvpx-vp9", "yuv420p", {}),
    "video.ts": ("libx264", "yuv420p", {}),
    "video.avi": ("mjpeg", "yuvj420p", {}),
    "video.h264": ("libx264", "yuv420p", {}),
    "video.mjpeg": ("mjpeg", "yuvj420p", {}),
    "video.gif": ("gif", "rgb8", {}),
    "video.flv": ("flv", "yuv420p", {}),
}


@functools.cache
def _videos() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        return {name: _encode_video(Path(folder) / name) for name in _CONTAINERS}


def _encode_video(path: Path) -> bytes:
    codec, pixels, options = _CONTAINERS[path.name]
    with av.open(str(path), "w", options=options) as output:
        stream: Any = output.add_stream(codec, rate=Fraction(10))
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 128, 150, pixels, 5
        if codec == "libvpx-vp9":
            stream.options = {"deadline": "realtime", "cpu-used": "8"}
        for number in range(_FRAMES):
            image = np.roll(portrait(), 2 * number, axis=1)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        output.mux(stream.encode(None))
    return path.read_bytes()


def _damaged_videos() -> SearchStrategy[tuple[str, bytes]]:
    return st.sampled_from(sorted(_videos())).flatmap(
        lambda name: st.tuples(st.just(name), damaged_bytes(_videos()[name]))
    )


def _read_video(value: tuple[str, bytes], folder: Path) -> None:
    name, content = value
    path = folder / name
    path.write_bytes(content)
    last_s = -1.0
    with VideoSource(path, threads=1) as source:
        for number, item in enumerate(source):
            if isinstance(item, Frame):
                assert item.gray.ndim == 2
                assert item.image.shape == (*item.gray.shape, 3)
                if item.time_s is not None:
                    assert item.time_s >= last_s, "times run backwards"
                    last_s = item.time_s
            if number >= _MOST_FRAMES:
                break


# --- a JPEG stream of a camera ---


def _streams() -> SearchStrategy[tuple[bytes, int]]:
    jpeg = _images()[".jpg"]
    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(jpeg)
    return st.tuples(damaged_bytes((head + jpeg + b"\r\n") * 3), st.integers(1, 5000))


def _split_stream(value: tuple[bytes, int], folder: Path) -> None:
    content, size = value
    splitter, given = JpegSplitter(), 0
    for start in range(0, len(content), size):
        for image in splitter.feed(content[start : start + size]):
            given += len(image)
            path = folder / "image.jpg"
            path.write_bytes(image)
            try:
                load_image(path)
            except FerEdgeError:
                continue
    assert given <= len(content)


MEDIA: Final[dict[str, Kind]] = {
    "image": Kind(_damaged_images, _analyze_image, share=4),
    "video": Kind(_damaged_videos, _read_video, share=4),
    "jpeg-stream": Kind(_streams, _split_stream),
}
