"""Downloads the model of a detector from its publisher: checked, and complete when it appears."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from fer_edge._version import __version__
from fer_edge.errors import DownloadError, reason_of
from fer_edge.models.detector_files import DetectorFile
from fer_edge.runtime.atomic_files import check_folder, make_folder, output_errors, staged_file
from fer_edge.runtime.hashing import sha256_of_file

__all__ = ["Download", "download_detector"]

_SILENCE_S: Final = 30.0  # for so long a server may send nothing
_MOST_S: Final = 300.0  # for all of a file
_MOST_BYTES: Final = 16 << 20  # of a file whose size is not known before
_CHUNK: Final = 1 << 16

_STATUSES: Final = {
    403: "the server refuses it (403)",
    404: "the server does not have it any more (404)",
    429: "the server had too many requests (429), try again later",
}

OnProgress = Callable[[int, int | None], None]
"""Is told how many bytes have come, and of how many; None where that is not known."""


@dataclass(frozen=True, slots=True)
class Download:
    """A detector's model that is there now. ``downloaded``: it was not before; ``replaced`` is what was wrong then."""

    path: Path
    size: int
    sha256: str
    downloaded: bool
    replaced: str | None = None


def download_detector(
    file: DetectorFile,
    folder: Path,
    *,
    on_progress: OnProgress = lambda _received, _total: None,
    silence_s: float = _SILENCE_S,
    most_s: float = _MOST_S,
) -> Download:
    """Download a detector's model into a folder, unless it is there already and right.

    Its addresses are tried in turn, through the proxies that the environment names. A server may be silent for
    ``silence_s`` and take ``most_s`` seconds in all. Raises DownloadError where none has the file, with each one's
    reason and how to get it by hand, and OutputError where it cannot be written.
    """
    path = folder / file.file_name
    fault = None
    if path.is_file():
        with output_errors(path):
            fault = file.find_fault(path.read_bytes())
            if fault is None:
                return Download(path, path.stat().st_size, sha256_of_file(path), downloaded=False)
    check_folder(folder)
    make_folder(folder)
    content = _fetch_any(file, path, on_progress, silence_s, most_s)
    with staged_file(path, sync=True) as part:
        part.write_bytes(content)
    return Download(path, len(content), sha256_of_file(path), downloaded=True, replaced=fault)


def _fetch_any(
    file: DetectorFile, path: Path, on_progress: OnProgress, silence_s: float, most_s: float
) -> bytes:
    reasons: dict[str, str] = {}
    for address in file.addresses:
        try:
            content = _fetch(address, file.size, on_progress, silence_s, most_s)
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = _explain(error)
        else:
            fault = file.find_fault(content)
            if fault is None:
                return content
            reason = f"what came is not the model: {fault}"
        reasons[address] = f"{urlsplit(address).hostname}: {reason}"
    raise DownloadError(
        f"cannot download the face detector {file.detector}: {'; '.join(dict.fromkeys(reasons.values()))}. "
        f"By hand: download {file.addresses[0]} elsewhere and put it at {path} ({file.identity})"
    )


def _fetch(address: str, size: int | None, on_progress: OnProgress, silence_s: float, most_s: float) -> bytes:
    """The content behind an address; raises OSError, HTTPException or ValueError."""
    deadline = time.monotonic() + most_s
    request = urllib.request.Request(address, headers={"User-Agent": f"fer-edge/{__version__}"})
    opener = urllib.request.build_opener(_NoDowngrade)
    most = _MOST_BYTES if size is None else size
    content = bytearray()
    with opener.open(request, timeout=silence_s) as answer:
        stated = answer.headers.get("Content-Length", "")
        total = int(stated) if stated.isascii() and stated.isdecimal() else None
        while chunk := answer.read1(_CHUNK):
            content += chunk
            on_progress(len(content), total or size)
            if len(content) > most:
                break  # it is something else; what came so far shows what
            if time.monotonic() > deadline:
                raise TimeoutError
    if total is not None and len(content) < total and len(content) <= most:
        raise http.client.IncompleteRead(bytes(content), total - len(content))
    return bytes(content)


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but none from an encrypted connection to one that anybody can change."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise ValueError(f"it leads to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _explain(error: Exception) -> str:
    """Why a download failed, for people."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if "infinite loop" in str(error.msg):
            return "it leads in a circle"
        if error.code >= 500:
            return f"the server failed ({error.code}), try again later"
        return _STATUSES.get(error.code, f"the server answers {error.code}")
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, socket.gaierror):
        return "its name is not known here (offline?)"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message}); SSL_CERT_FILE names a network's own"
    if isinstance(error, http.client.IncompleteRead):
        return f"it broke off after {len(error.partial):,} bytes of {len(error.partial) + (error.expected or 0):,}"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return "the connection was closed"
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    return reason_of(reason)
