"""Picture files decoded: by OpenCV, by FFmpeg what OpenCV does not know, HEIC by pi-heif where it is installed."""

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
    "HEIC": CONVERT_HEIC,
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
# OpenCV knows no TGA, takes a PAM's red for blue, and raises at OpenEXR unless an environment variable allows it.
_FFMPEG_ONLY: Final = frozenset({"TGA", "PAM", "OpenEXR"})
# Put behind the data of formats without an end mark: where pictures differ by it, something is missing.
_FILLINGS: Final = (b"", b"\x00" * 4096, b"\x5a\xc3" * 2048)


def decode(content: bytes, header: ImageHeader, most_pixels: int) -> NDArray[Any] | None:
    """The first picture as OpenCV's arrays come: (height, width[, 3 or 4]), BGR, of any type; not turned.

    None where it cannot be decoded. Raises SourceError with the remedy where a format needs another program.
    """
    if header.kind == "HEIC" and reads_heic():
        return _decode_heic(content)
    if header.kind in _CONVERT:
        raise SourceError(f"a {header.kind} picture cannot be read; {_CONVERT[header.kind]}")
    if header.kind == "ICO":
        return _decode_icon(content, most_pixels)
    if header.kind not in _FFMPEG_ONLY:
        decoded = _decode_with_opencv(content, header)
        if decoded is not None:
            return decoded
    codec = _CODECS.get(header.kind)
    return None if codec is None else _decode_with_ffmpeg(codec, content, most_pixels)


def reads_heic() -> bool:
    """Whether pi-heif, which the extra ``heif`` brings, can be imported."""
    try:
        import pi_heif  # noqa: F401
    except ImportError:
        return False
    return True


def _decode_with_opencv(content: bytes, header: ImageHeader) -> NDArray[Any] | None:
    upright = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    # Of a TIFF's gray floats OpenCV makes no colours.
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
    for filling in _FILLINGS:
        frame = _first_frame(codec, content + filling, most_pixels)
        if frame is None:
            return first
        pixels = _pixels(frame)
        if first is None:
            first = pixels
            if frame.format.name == "pal8":  # whose colours may be found from the file's end
                return first
        elif not np.array_equal(first, pixels):
            raise SourceError("the picture ends before its data do; get the whole file")
    return first


def _first_frame(codec: str, content: bytes, most_pixels: int) -> Any:
    import av  # costs 50 ms, and most pictures need OpenCV alone

    context: Any = av.CodecContext.create(codec, "r")
    context.options = {"max_pixels": str(most_pixels)}
    try:
        frames = context.decode(av.Packet(content)) or context.decode(None)
    except (av.error.FFmpegError, ValueError):
        return None
    return frames[0] if frames else None


def _pixels(frame: Any) -> NDArray[Any]:
    """A frame of FFmpeg's as BGR or BGRA, uint8; floats as they are."""
    if frame.format.name.startswith("gbr") and "f32" in frame.format.name:
        rgb = frame.reformat(format="gbrpf32le").to_ndarray(format="gbrpf32le")
        return np.asarray(rgb)[..., ::-1]
    see_through = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    return np.asarray(frame.to_ndarray(format="bgra" if see_through else "bgr24"))


def _decode_icon(content: bytes, most_pixels: int) -> NDArray[Any] | None:
    """The largest picture of an icon; a PNG or a BMP without its file header."""
    (count,) = struct.unpack_from("<4xH", content.ljust(6, b"\0"))
    places = range(6, min(6 + 16 * count, len(content) - 15), 16)
    entries = [struct.unpack_from("<BB6xII", content, place) for place in places]
    if not entries:
        return None
    _, _, size, start = max(entries, key=lambda entry: ((entry[0] or 256) * (entry[1] or 256), entry[2]))
    picture = content[start : start + size]
    header = read_header(picture)
    if header.kind == "PNG":
        fits = header.size is not None and header.size[0] * header.size[1] <= most_pixels
        return _decode_with_opencv(picture, header) if fits else None
    import av

    try:
        with av.open(io.BytesIO(content), "r", format="ico") as container:
            stream: Any = max(
                container.streams.video, key=lambda s: s.codec_context.width * s.codec_context.height
            )
            stream.codec_context.options = {"max_pixels": str(most_pixels)}
            return _pixels(next(container.decode(stream)))
    except (av.error.FFmpegError, ValueError, StopIteration):
        return None


def _decode_heic(content: bytes) -> NDArray[Any] | None:
    import pi_heif

    try:
        picture = pi_heif.open_heif(io.BytesIO(content), bgr_mode=True)
        return np.asarray(picture)
    except (ValueError, EOFError, RuntimeError, OSError):
        return None
