"""ZIP archives whose headers contradict their content."""

from __future__ import annotations

import io
import zipfile

import pytest

from fer_edge.runtime.zip_files import ZIP_DAMAGE, open_zip


def pack(content: bytes, method: int = zipfile.ZIP_DEFLATED, stated: int | None = None) -> io.BytesIO:
    """Return an archive with one member; ``stated`` overrides the size in its directory."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("a", content)
        if stated is not None:
            archive.infolist()[0].file_size = stated
    return file


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_whose_size_cannot_be_bounded_are_refused(method: int) -> None:
    with pytest.raises(zipfile.BadZipFile, match="neither stored nor deflated"):
        open_zip(pack(b"0" * 1000, method, stated=10))


def test_no_more_is_unpacked_than_is_stated() -> None:
    with open_zip(pack(bytes(50 << 20), stated=1000), 2000) as archive, pytest.raises(ZIP_DAMAGE):
        archive.read("a")


def test_what_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(zipfile.BadZipFile, match="more than 999 bytes"):
        open_zip(pack(bytes(1000)), 999)
    with open_zip(pack(bytes(1000)), 1000) as archive:
        assert archive.read("a") == bytes(1000)
