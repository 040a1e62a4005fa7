"""``fer-edge get`` from another publisher: ``python -m tests.faults.get_locally URL FOLDER``.

It starts like the real programs: nothing else is imported before signals are handled.
"""

from __future__ import annotations

import sys

from fer_edge.runtime.shutdown import run_program


def _run() -> int:
    import hashlib
    from pathlib import Path

    import click

    from fer_edge.cli.app import run_command
    from fer_edge.models.detector_files import DetectorFile
    from fer_edge.models.download import download_detector
    from tests.faults.publisher import CONTENT

    @click.command()
    @click.argument("address")
    @click.argument("folder")
    def download(address: str, folder: str) -> None:
        file = DetectorFile(
            detector="yunet",
            file_name="face.onnx",
            addresses=(address,),
            licence="MIT",
            size=len(CONTENT),
            sha256=hashlib.sha256(CONTENT).hexdigest(),
        )
        download_detector(file, Path(folder))

    return run_command(download, sys.argv[1:], "get_locally")


if __name__ == "__main__":
    run_program(_run)
