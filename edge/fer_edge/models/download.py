"""Download and verify the model file of a face detector."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

from fer_edge._version import __version__
from fer_edge.errors import DownloadError, reason_of
from fer_edge.models.detector_files import DetectorFile
from fer_edge.runtime.atomic_files import (
    check_folder,
    convert_errors_to_output_error,
    make_folder,
    staged_file,
)
from fer_edge.runtime.hashing import sha256_of_file
from fer_edge.runtime.interruptible import CallThread

__all__ = ["Download", "download_detector"]

_SILENCE_S: Final = 30.0  # the longest time without data from the server
_ANSWER_S: Final = 60.0  # until a server, or a proxy, has answered; both may send a byte now and then
_MAX_S: Final = 300.0  # the longest time for a file
_MAX_BYTES: Final = 16 << 20  # the largest file if the size is not known in advance
_CHUNK: Final = 1 << 16

_STATUSES: Final = {
    403: "access is forbidden (403)",
    404: "the file does not exist on the server (404)",
    429: "the server received too many requests (429), try again later",
}

OnProgress = Callable[[int, int | None], None]
"""A function of the number of bytes received and the total number, None if that is not known."""


@dataclass(frozen=True, slots=True)
class Download:
    """The downloaded model of a detector.

    ``downloaded`` is false if a valid file already existed. If an invalid file was replaced, ``replaced`` describes
    what was wrong with it.
    """

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
    most_s: float = _MAX_S,
) -> Download:
    """Download the model of a detector to a folder.

    An existing valid file is kept. The URLs are tried in order, through the proxies set in the environment. A server
    may send no data for up to ``silence_s`` seconds and take up to ``most_s`` seconds in total. Raises DownloadError
    if all URLs fail, with the reason for each and instructions for a manual download, and OutputError if the file
    cannot be written.
    """
    path = folder / file.file_name
    fault = None
    if path.is_file():
        with convert_errors_to_output_error(path):
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
            reason = f"the downloaded file is not the model: {fault}"
        reasons[address] = f"{urlsplit(address).hostname}: {reason}"
    raise DownloadError(
        f"cannot download the face detector {file.detector}: {'; '.join(dict.fromkeys(reasons.values()))}. "
        f"To install it manually, download {file.addresses[0]} elsewhere and save it as {path} ({file.identity})"
    )


def _fetch(address: str, size: int | None, on_progress: OnProgress, silence_s: float, most_s: float) -> bytes:
    """Return the content of a URL; raises OSError, HTTPException or ValueError."""
    deadline = time.monotonic() + most_s
    request = urllib.request.Request(address, headers={"User-Agent": f"fer-edge/{__version__}"})
    opener = urllib.request.build_opener(_NoDowngrade)
    most = _MAX_BYTES if size is None else size
    content = bytearray()
    with closing(CallThread()) as calls, ExitStack() as stack:
        answer = calls.run(partial(opener.open, request, timeout=silence_s), min(_ANSWER_S, most_s))
        stack.callback(_close, answer, calls)
        stated = answer.headers.get("Content-Length", "")
        total = int(stated) if stated.isascii() and stated.isdecimal() else None
        while chunk := calls.run(partial(answer.read1, _CHUNK), max(0.0, deadline - time.monotonic())):
            content += chunk
            on_progress(len(content), total or size)
            if len(content) > most:
                break  # not the expected file; the content so far is enough to describe it
            if time.monotonic() > deadline:
                raise TimeoutError
    if total is not None and len(content) < total and len(content) <= most:
        raise http.client.IncompleteRead(bytes(content), total - len(content))
    return bytes(content)


def _close(answer: Any, calls: CallThread) -> None:
    """Close an answer, unless a thread is still reading it: closing would wait for the read to end."""
    with suppress(InterruptedError):
        calls.run(answer.close, 0.0)


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirects, except from an encrypted to an unencrypted connection."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise ValueError(f"redirects to {newurl}, which is not encrypted")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _explain(error: Exception) -> str:
    """Describe why a download failed."""
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if "infinite loop" in str(error.msg):
            return "too many redirects"
        if error.code >= 500:
            return f"the server failed ({error.code}), try again later"
        return _STATUSES.get(error.code, f"the server returned status {error.code}")
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        error = error.reason
    if isinstance(error, TimeoutError):
        return "the server timed out"
    if isinstance(error, socket.gaierror):
        return "cannot resolve the host name (offline?)"
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"the certificate is not trusted ({error.verify_message}); on a network with its own certificate "
            "authority, set SSL_CERT_FILE"
        )
    if isinstance(error, http.client.IncompleteRead):
        total = len(error.partial) + (error.expected or 0)
        return f"the download stopped after {len(error.partial):,} of {total:,} bytes"
    if isinstance(error, http.client.RemoteDisconnected | ConnectionResetError):
        return "the server closed the connection"
    if isinstance(error, http.client.BadStatusLine | http.client.LineTooLong):
        return "the response is not HTTP"
    reason = getattr(error, "strerror", None) or getattr(error, "reason", None) or error
    return reason_of(reason)
