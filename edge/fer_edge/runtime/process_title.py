"""Hide passwords in the program's arguments from other users of the machine.

Arguments are visible with ``ps``, for example.
"""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from pathlib import Path
from typing import Final

__all__ = ["hide_password"]

_ARG_START, _ARG_END = 45, 46  # indices of the /proc/self/stat fields after the name; see proc_pid_stat(5)
_MASK: Final = ord("*")


def hide_password(url: str) -> None:
    """Overwrite a URL's password in the process's arguments, if the system allows it.

    Linux does. The password is visible until then; a file or an environment variable is a safer place for it.
    """
    credentials = url.partition("://")[2].rpartition("@")[0]
    password = os.fsencode(credentials.partition(":")[2])
    if not password:
        return
    with suppress(OSError, ValueError, IndexError):
        fields = (
            Path("/proc/self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
        )
        start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
        arguments = Path("/proc/self/cmdline").read_bytes()
        if end - start != len(arguments) or ctypes.string_at(start, len(arguments)) != arguments:
            return
        whole = os.fsencode(url)
        offset = os.fsencode(f"{url.partition('://')[0]}://{credentials.partition(':')[0]}:")
        at = arguments.find(whole)
        while at >= 0:
            ctypes.memset(start + at + len(offset), _MASK, len(password))
            at = arguments.find(whole, at + len(whole))
