"""Files that are not videos or claim too much: one line of error, quickly, in little memory."""

from __future__ import annotations

import os
import stat
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from fer_edge.errors import SourceError, describe_error
from fer_edge.sources.video import VideoSource
from tests.edge.sources.clips import FACE, number_in, remux, write_clip
from tests.edge.support import run_python, take_frames, write_bytes

HTML = b"<!DOCTYPE html><html><head><title>Not found</title></head><body>404</body></html>" * 20
CONTENTS = {
    "empty": b"",
    "zeros": bytes(100_000),
    "text": b"This is a text about nothing. " * 500,
    "html": HTML,
    "noise": np.random.default_rng(0).bytes(200_000),
    "one byte": b"\x00",
    "playlist of nothing": b"#EXTM3U\n#EXT-X-ENDLIST\n",
    "list of other files": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "json": b'{"a": [1, 2, 3]}' * 100,
    "zip": b"PK\x03\x04" + bytes(5000),
    "an .mp4's first box": b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41",
    "an .mkv's first element": b"\x1a\x45\xdf\xa3\xa3\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04",
}


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ""])
@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_what_is_no_video_is_refused_in_one_line(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = write_bytes(tmp_path / f"file{suffix}", content)
    started = time.monotonic()
    frames, error = take_frames(VideoSource(path))
    assert frames == []
    assert type(error) is SourceError
    assert str(error).startswith(f"{path}: cannot open video")
    assert "\n" not in str(error)
    assert time.monotonic() - started < 5


def test_sound_is_no_video(tmp_path: Path) -> None:
    import av

    path = tmp_path / "song.m4a"
    write_clip(tmp_path / "clip.mkv", sound_s=1.0)
    with av.open(str(tmp_path / "clip.mkv")) as source, av.open(str(path), "w", format="mp4") as output:
        stream = output.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(source.streams.audio[0]):
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    assert (
        str(take_frames(VideoSource(path))[1])
        == f"{path}: cannot open video: it contains only audio; specify a video"
    )


def test_the_cover_of_a_song_is_no_video(tmp_path: Path) -> None:
    """An ID3 tag with an image, followed by a second of silent MP3 frames."""
    cover = b"\x00image/jpeg\x00\x03\x00" + FACE.read_bytes()
    frame = b"APIC" + len(cover).to_bytes(4, "big") + b"\x00\x00" + cover
    size = bytes(len(frame) >> shift & 0x7F for shift in (21, 14, 7, 0))
    silence = (b"\xff\xfb\x90\x64" + bytes(413)) * 40
    path = write_bytes(tmp_path / "song.mp3", b"ID3\x03\x00\x00" + size + frame + silence)
    frames, error = take_frames(VideoSource(path))
    assert frames == []
    assert "it contains only audio and a cover image; specify a video" in str(error)


# --- wrong headers ---


def test_a_gif_of_a_small_file_and_many_pixels_takes_little_memory(tmp_path: Path) -> None:
    header = b"GIF89a" + (20_000).to_bytes(2, "little") + (8_192).to_bytes(2, "little") + b"\x80\x00\x00"
    palette = b"\x00\x00\x00\xff\xff\xff"
    image = b"\x2c" + bytes(4) + (20_000).to_bytes(2, "little") + (8_192).to_bytes(2, "little") + b"\x00"
    data = b"\x02" + (b"\xff" + bytes(255)) * 200 + b"\x00"
    path = write_bytes(tmp_path / "huge.gif", header + palette + (image + data) * 3 + b"\x3b")
    script = """
import resource, sys
from fer_edge.errors import SourceError
from fer_edge.sources.video import VideoSource
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    with VideoSource(sys.argv[1]) as source:
        for frame in source:
            frame.gray
except SourceError as error:
    print(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = run_python(script, path)
    message, grown = done.stdout.splitlines()
    assert "cannot decode any frame of the video" in message
    assert int(grown) < 300_000
    assert done.stderr == ""


def patch(path: Path, box: bytes, offset: int, value: bytes) -> Path:
    content = bytearray(path.read_bytes())
    place = content.index(box) + 4 + offset
    content[place : place + len(value)] = value
    path.write_bytes(content)
    return path


LIES = {
    "duration": (b"mdhd", 16, b"\x7f\xff\xff\xff"),
    "movie duration": (b"mvhd", 16, b"\x7f\xff\xff\xff"),
    "time scale of 0": (b"mdhd", 12, bytes(4)),
    "time scale of 2^31": (b"mdhd", 12, b"\x7f\xff\xff\xff"),
    "samples": (b"stsz", 8, b"\x7f\xff\xff\xff"),
    "sample size": (b"stsz", 12, b"\x7f\xff\xff\xff"),
    "times": (b"stts", 4, b"\x7f\xff\xff\xff"),
    "time of a sample": (b"stts", 12, b"\x7f\xff\xff\xff"),
    "chunks": (b"stsc", 4, b"\xff\xff\xff\xff"),
    "offsets": (b"stco", 4, b"\xff\xff\xff\xff"),
    "first offset": (b"stco", 8, b"\xff\xff\xff\xff"),
    "width and height": (b"avc1", 24, b"\xff\xff\xff\xff"),
}


@pytest.mark.parametrize(("box", "offset", "value"), LIES.values(), ids=LIES)
def test_an_mp4_whose_header_lies(box: bytes, offset: int, value: bytes, tmp_path: Path) -> None:
    path = patch(write_clip(tmp_path / "clip.mp4"), box, offset, value)
    started = time.monotonic()
    frames, error = take_frames(VideoSource(path))
    assert time.monotonic() - started < 10
    assert len(frames) <= 20
    assert error is None or "\n" not in str(error)
    assert frames or error is not None


@pytest.mark.parametrize("field", range(0, 56, 4))
def test_an_avi_whose_header_lies(field: int, tmp_path: Path) -> None:
    path = patch(write_clip(tmp_path / "clip.avi", "mpeg4"), b"avih", 4 + field, b"\xff\xff\xff\x7f")
    path = patch(path, b"strh", 4 + min(field, 44), b"\xff\xff\xff\x7f")
    started = time.monotonic()
    frames, error = take_frames(VideoSource(path))
    assert time.monotonic() - started < 10
    assert len(frames) <= 40
    assert error is None or "\n" not in str(error)


@pytest.mark.parametrize("seed", range(40))
def test_random_damage_never_does_worse_than_an_error(seed: int, tmp_path: Path) -> None:
    suffix, codec = [(".mp4", "libx264"), (".mkv", "mpeg4"), (".ts", "mpeg2video"), (".avi", "mpeg4")][
        seed % 4
    ]
    path = write_clip(tmp_path / f"clip{suffix}", codec, frames=10, size=(64, 48))
    content, random = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for place in random.integers(0, len(content), 20):
        content[place] = random.integers(256)
    path.write_bytes(content)
    frames, error = take_frames(VideoSource(path))
    for frame in frames:
        assert frame.gray.shape == (frame.size[1], frame.size[0])
        assert frame.image.shape == (*frame.gray.shape, 3)
    assert error is None or "\n" not in str(error)


# --- not a file ---


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.mp4", "No such file or directory"),
        ("x" * 300 + ".mp4", "File name too long"),
        ("a\0b.mp4", "null byte"),
        ("/dev/null", "it is a device; for a camera, use: fer-edge camera"),
        ("/dev/zero", "it is a device"),
        (".", "it is a folder; for the images in it, use: fer-edge folder"),
        ("file:///nowhere/clip.mp4", "No such file or directory"),
        ("", "it is a folder"),
    ],
)
def test_what_is_no_file(name: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    frames, error = take_frames(VideoSource(name))
    assert frames == []
    assert error is not None
    assert message in describe_error(error)


@pytest.mark.skipif(os.name == "nt" or not os.geteuid(), reason="root can read every file")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "clip.mp4", b"x")
    path.chmod(0)
    assert "Permission denied" in str(take_frames(VideoSource(path))[1])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such named pipes")
def test_a_named_pipe_is_read_like_one(tmp_path: Path) -> None:
    content = write_clip(tmp_path / "clip.mkv").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)

    def feed() -> None:
        time.sleep(0.3)
        (tmp_path / "pipe").write_bytes(content)

    writer = threading.Thread(target=feed)
    writer.start()
    frames, error = take_frames(VideoSource(tmp_path / "pipe"))
    writer.join()
    assert error is None
    assert [number_in(frame.gray) for frame in frames] == list(range(20))


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such named pipes")
def test_a_named_pipe_that_gives_nothing_is_no_video(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    threading.Timer(0.2, lambda: (tmp_path / "pipe").write_bytes(b"")).start()
    frames, error = take_frames(VideoSource(tmp_path / "pipe"))
    assert frames == []
    assert "cannot open video" in str(error)


def test_an_encrypted_video_is_called_so(tmp_path: Path) -> None:
    options = {
        "encryption_scheme": "cenc-aes-ctr",
        "encryption_key": "00112233445566778899aabbccddeeff",
        "encryption_kid": "ffeeddccbbaa99887766554433221100",
    }
    path = remux(write_clip(tmp_path / "a.mp4"), tmp_path / "locked.mp4", options=options)
    frames, error = take_frames(VideoSource(path))
    assert not frames
    assert str(error) == f"{path}: the video is encrypted; use one without copy protection"
