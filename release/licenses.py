"""The licences of everything that the runtime installs, and the check that no other has come.

``python -m release.licenses`` prints docs/licenses.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from release.distribution import Distribution

__all__ = ["NATIVE_LIBRARIES", "PACKAGES", "find_native_license", "find_problems", "render_page"]

PACKAGES: Final[dict[str, str]] = {
    "ai-edge-litert": "Apache-2.0",
    "av": "BSD-3-Clause",
    "backports-strenum": "MIT",
    "click": "BSD-3-Clause",
    "colorama": "BSD-3-Clause",
    "flatbuffers": "Apache-2.0",
    "ml-dtypes": "Apache-2.0",
    "numpy": "BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0",
    "opencv-python": "Apache-2.0",
    "opencv-python-headless": "Apache-2.0",
    "pillow": "MIT-CMU",
    "protobuf": "BSD-3-Clause",
    "tflite-runtime": "Apache-2.0",
    "tqdm": "MPL-2.0 AND MIT",
    "typing-extensions": "PSF-2.0",
}
"""By normalized name, as the package states it, as an SPDX expression."""

_GNU_CRYPTO: Final = "LGPL-3.0-or-later OR GPL-2.0-or-later"
_FFMPEG: Final = "LGPL-3.0-or-later"

NATIVE_LIBRARIES: Final[dict[str, str]] = {
    "SvtAv1Enc": "BSD-3-Clause-Clear",
    "Xau": "MIT",
    "aom": "BSD-2-Clause",
    "asound": "LGPL-2.1-or-later",
    "avcodec": _FFMPEG,
    "avdevice": _FFMPEG,
    "avfilter": _FFMPEG,
    "avformat": _FFMPEG,
    "avif": "BSD-2-Clause",
    "avutil": _FFMPEG,
    "brotlicommon": "MIT",
    "brotlidec": "MIT",
    "crypto": "OpenSSL",
    "dav1d": "BSD-2-Clause",
    "drm": "MIT",
    "freetype": "FTL OR GPL-2.0-or-later",
    "gfortran": "GPL-3.0-or-later WITH GCC-exception-3.1",
    "gmp": _GNU_CRYPTO,
    "gnutls": "LGPL-2.1-or-later",
    "harfbuzz": "MIT",
    "hogweed": _GNU_CRYPTO,
    "jpeg": "IJG AND BSD-3-Clause AND Zlib",
    "lcms2": "MIT",
    "lzma": "0BSD",
    "mp3lame": "LGPL-2.0-or-later",
    "nettle": _GNU_CRYPTO,
    "openblas": "BSD-3-Clause",
    "opencore-amrnb": "Apache-2.0",
    "opencore-amrwb": "Apache-2.0",
    "openjp2": "BSD-2-Clause",
    "opus": "BSD-3-Clause",
    "png16": "libpng-2.0",
    "quadmath": "LGPL-2.1-or-later",
    "sharpyuv": "BSD-3-Clause",
    "ssl": "OpenSSL",
    "swresample": _FFMPEG,
    "swscale": _FFMPEG,
    "tiff": "libtiff",
    "unistring": _GNU_CRYPTO,
    "vpl": "MIT",
    "vpx": "BSD-3-Clause",
    "webp": "BSD-3-Clause",
    "webpdemux": "BSD-3-Clause",
    "webpmux": "BSD-3-Clause",
    "x264": "GPL-2.0-or-later",
    "x265": "GPL-2.0-or-later",
    "xcb": "MIT",
    "xcb-shape": "MIT",
    "xcb-shm": "MIT",
    "xcb-xfixes": "MIT",
    "zstd": "BSD-3-Clause OR GPL-2.0-only",
}
"""Of the libraries in the wheels' ``.libs`` folders, without ``lib``; as their projects state it."""

_OPENBLAS: Final = re.compile(r"(scipy_)?openblas.*")

_PAGE: Final = """\
# Licences of what the runtime installs

fer-edge's code is under the MIT licence. `pip install fer-edge` brings the packages below; which of them depends on the
system. A test compares this list with what is installed and fails where a package, a library or a licence is new.
This page is made by `python -m release.licenses`; `make release` writes the exact versions into the bill of
materials.

The wheels of PyAV hold x264 and x265, which are under the GPL, beside an FFmpeg that calls itself LGPL 3 or later. That
concerns you if you pass on an installation, for example a device or an image of its disk: taken together, these
files are under the GPL 3 or later. Using them yourself is free of conditions. The bundled model was learned from
FER-2013, which is for research use; the licence of the code does not change that.

## Packages

| package | licence |
| --- | --- |
{packages}

## Native libraries in their wheels

Those that lie in the wheels as files of their own, on Linux. What is linked into a package's own extension modules
is listed in the license files of that package, such as OpenCV's `LICENSE-3RD-PARTY.txt`.

| library | licence |
| --- | --- |
{native}
"""


def find_native_license(name: str) -> str | None:
    """The SPDX expression for a library such as ``libx264``, None for an unknown one."""
    return NATIVE_LIBRARIES.get(_OPENBLAS.sub("openblas", name.removeprefix("lib")))


def find_problems(distributions: Iterable[Distribution]) -> Iterator[str]:
    """A sentence for each package, licence or native library that the tables do not have."""
    for found in distributions:
        known = PACKAGES.get(found.name)
        if known is None:
            yield f"{found.name}: the package is new, its licence is {found.license}"
        elif new := _identifiers(found.license) - _identifiers(known):
            yield f"{found.name} {found.version}: the licence is new: {', '.join(sorted(new))}"
        for library in found.native:
            if find_native_license(library.name) is None:
                yield f"{found.name} {found.version}: the library {library.name} in its wheel is new"


def _identifiers(expression: str) -> set[str]:
    return set(re.split(r"\s+(?:AND|OR)\s+|[()]", expression)) - {""}


def render_page() -> str:
    """The page docs/licenses.md."""
    return _PAGE.format(packages=_render(PACKAGES), native=_render(NATIVE_LIBRARIES))


def _render(table: dict[str, str]) -> str:
    return "\n".join(f"| {name} | {text} |" for name, text in table.items())


if __name__ == "__main__":
    print(render_page(), end="")
