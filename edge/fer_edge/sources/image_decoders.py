"""Decode image files.

OpenCV decodes most formats, FFmpeg those that OpenCV does not support, and pi-heif (if installed) HEIC.
"""

from __future__ import annotations

import io
import struct
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.sources.image_header import ImageHeader, read_header

__all__ = ["CONVERT_HEIC", "decode", "reads_heic"]

CONVERT_HEIC: Final = "pip install 'fer-edge[heif]', or convert it with: heif-convert photo.heic photo.jpg"
_CONVERT: Final = {
    "HEIC": f"run: {CONVERT_HEIC}",
    "JPEG XL": "convert it with: djxl photo.jxl photo.png",
}
_CODECS: Final = {
    "TGA": "targa",
    "PCX": "pcx",
    "SGI": "sgi",
    "QOI": "qoi",
    "DDS": "dds",
    "PSD": "psd",
    "PAM": "pam",
    "OpenEXR": "exr",
}
# OpenCV does not support TGA, swaps red and blue in PAM, and rejects OpenEXR unless an environment variable is set.
_FFMPEG_ONLY: Final = frozenset({"TGA", "PAM", "OpenEXR"})
# Appended to formats without an end marker: if the decoded image depends on the padding, data is missing.
_PADDINGS: Final = (b"", b"\x00" * 4096, b"\x5a\xc3" * 2048)


def decode(content: bytes, header: ImageHeader, most_pixels: int) -> NDArray[Any] | None:
    """Decode the first image of a file, without applying its orientation.

    Returns an array as OpenCV does, (height, width) or (height, width, 3 or 4) in BGR order, of any dtype, or None if
    the image cannot be decoded. Raises SourceError with a remedy if the format needs another program.
    """
    if header.kind == "HEIC" and reads_heic():
        return _decode_heic(content)
    if header.kind in _CONVERT:
        raise SourceError(f"cannot read {header.kind} images; {_CONVERT[header.kind]}")
    if header.kind == "ICO":
        return _decode_icon(content, most_pixels)
    if header.kind not in _FFMPEG_ONLY:
        decoded = _decode_with_opencv(content, header)
        if decoded is not None:
            return decoded
    codec = _CODECS.get(header.kind)
    return None if codec is None else _decode_with_ffmpeg(codec, content, most_pixels)


def reads_heic() -> bool:
    """Return whether pi-heif, which the ``heif`` extra installs, can be imported."""
    try:
        import pi_heif  # noqa: F401
    except ImportError:
        return False
    return True


def _decode_with_opencv(content: bytes, header: ImageHeader) -> NDArray[Any] | None:
    upright = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    # OpenCV cannot convert a gray floating-point TIFF to color.
    flags = [cv2.IMREAD_UNCHANGED] if header.alpha else [upright, cv2.IMREAD_UNCHANGED]
    if header.kind in ("JPEG", "BMP", "GIF", "PNG") and not header.alpha:
        flags = [upright]
    data = np.frombuffer(content, np.uint8)
    for flag in flags:
        decoded = cv2.imdecode(data, flag)
        if decoded is not None:
            return np.asarray(decoded)
    return None


def _decode_with_ffmpeg(codec: str, content: bytes, most_pixels: int) -> NDArray[Any] | None:
    first: NDArray[Any] | None = None
    for padding in _PADDINGS:
        frame = _decode_first_frame(codec, content + padding, most_pixels)
        if frame is None:
            return first
        pixels = _to_array(frame)
        if first is None:
            first = pixels
            if frame.format.name == "pal8":  # the palette may be at the end of the file
                return first
        elif not np.array_equal(first, pixels):
            raise SourceError("the image data is incomplete; get the complete file")
    return first


def _decode_first_frame(codec: str, content: bytes, most_pixels: int) -> Any:
    import av  # takes 50 ms, and most images need only OpenCV

    context: Any = av.CodecContext.create(codec, "r")
    context.options = {"max_pixels": str(most_pixels)}
    try:
        frames = context.decode(av.Packet(content)) or context.decode(None)
    except (av.error.FFmpegError, ValueError):
        return None
    return frames[0] if frames else None


def _to_array(frame: Any) -> NDArray[Any]:
    """Return an FFmpeg frame as uint8 BGR or BGRA; floating-point frames stay floats."""
    if frame.format.name.startswith("gbr") and "f32" in frame.format.name:
        rgb = frame.reformat(format="gbrpf32le").to_ndarray(format="gbrpf32le")
        return np.asarray(rgb)[..., ::-1]
    see_through = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    return np.asarray(frame.to_ndarray(format="bgra" if see_through else "bgr24"))


def _decode_icon(content: bytes, most_pixels: int) -> NDArray[Any] | None:
    """Return the largest image in an icon: a PNG, or a BMP without its file header."""
    (count,) = struct.unpack_from("<4xH", content.ljust(6, b"\0"))
    places = range(6, min(6 + 16 * count, len(content) - 15), 16)
    entries = [struct.unpack_from("<BB6xII", content, place) for place in places]
    if not entries:
        return None
    _, _, size, start = max(entries, key=lambda entry: ((entry[0] or 256) * (entry[1] or 256), entry[2]))
    image = content[start : start + size]
    header = read_header(image)
    if header.kind == "PNG":
        fits = header.size is not None and header.size[0] * header.size[1] <= most_pixels
        return _decode_with_opencv(image, header) if fits else None
    import av

    try:
        with av.open(io.BytesIO(content), "r", format="ico") as container:
            stream: Any = max(
                container.streams.video, key=lambda s: s.codec_context.width * s.codec_context.height
            )
            stream.codec_context.options = {"max_pixels": str(most_pixels)}
            return _to_array(next(container.decode(stream)))
    except (av.error.FFmpegError, ValueError, StopIteration):
        return None


def _decode_heic(content: bytes) -> NDArray[Any] | None:
    import pi_heif

    try:
        image = pi_heif.open_heif(io.BytesIO(content), bgr_mode=True)
        return np.asarray(image)
    except (ValueError, EOFError, RuntimeError, OSError):
        return None
