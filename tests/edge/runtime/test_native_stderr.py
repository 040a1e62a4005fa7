"""Output of native libraries and of Python on standard error."""

from __future__ import annotations

import pytest

from tests.edge.support import run_python

_SCRIPT = """
import os, sys
from fer_edge.runtime.native_stderr import suppress_native_stderr

os.write(2, b"before from C\\n")
with suppress_native_stderr("debug" in sys.argv):
    os.write(2, b"within from C\\n")
    print("within from Python", file=sys.stderr)
os.write(2, b"after from C\\n")
print("after from Python", file=sys.stderr)
"""


@pytest.mark.parametrize("debug", [False, True])
def test_native_messages_are_suppressed_unless_requested(debug: bool) -> None:
    done = run_python(_SCRIPT, *(["debug"] if debug else []))
    lines = done.stderr.splitlines()
    assert ("within from C" in lines) is debug
    lines = [line for line in lines if line != "within from C"]
    assert lines == ["before from C", "within from Python", "after from C", "after from Python"]
    assert done.returncode == 0


def test_native_messages_return_after_an_error() -> None:
    done = run_python(
        "import os\n"
        "from fer_edge.runtime.native_stderr import suppress_native_stderr\n"
        "try:\n    with suppress_native_stderr():\n        raise ValueError\n"
        "except ValueError:\n    os.write(2, b'after from C')\n"
    )
    assert (done.returncode, done.stderr) == (0, "after from C")


def test_a_closed_standard_error_is_no_obstacle() -> None:
    done = run_python(
        "import sys\n"
        "from fer_edge.runtime.native_stderr import suppress_native_stderr\n"
        "sys.stderr = None\n"
        "with suppress_native_stderr():\n    print('done')\n"
    )
    assert (done.returncode, done.stdout) == (0, "done\n")


_CAPTURE = """
import os, sys
from fer_edge.runtime.native_stderr import capture_native_stderr, suppress_native_stderr

with capture_native_stderr() as outer:
    os.write(2, b"Corrupt JPEG data: premature end of data segment\\nfrom another thread\\n")
    with capture_native_stderr() as inner:
        os.write(2, b"[ WARN:0@0.047] global grfmt_tiff.cpp:122\\n")
print(outer.lines, inner.lines)
"""


def test_messages_of_image_libraries_are_collected_and_others_passed_on() -> None:
    done = run_python(_CAPTURE)
    assert done.stderr == "from another thread\n"
    assert done.stdout == (
        "('Corrupt JPEG data: premature end of data segment',) ('[ WARN:0@0.047] global grfmt_tiff.cpp:122',)\n"
    )


def test_a_closed_standard_error_collects_nothing() -> None:
    done = run_python(
        "import os\n"
        "from fer_edge.runtime.native_stderr import capture_native_stderr\n"
        "os.close(2)\n"
        "with capture_native_stderr() as messages:\n    pass\n"
        "print(messages.lines)\n"
    )
    assert (done.returncode, done.stdout) == (0, "()\n")
