"""``fer-train soft-labels``."""

from __future__ import annotations

from pathlib import Path

import click

from fer_edge.errors import UsageError
from fer_edge.runtime.atomic_files import check_file
from fer_train.cli.options import PATH, debug_option, require_keras
from fer_train.cli.progress import show_progress
from fer_train.data.dataset import load_faces
from fer_train.models.loading import is_tflite
from fer_train.native_stderr import suppress_native_stderr
from fer_train.objectives.answer_files import is_answer_file
from fer_train.objectives.soft_labels import compute_soft_labels, write_soft_labels
from fer_train.objectives.teachers import open_teacher

__all__ = ["make_soft_labels"]


@click.command("soft-labels")
@click.argument("data", type=PATH)
@click.option(
    "--teacher",
    "teachers",
    type=PATH,
    metavar="MODEL",
    multiple=True,
    required=True,
    help="A trained run, .tflite file or bundled model; of several, the mean.",
)
@click.option("--out", type=PATH, metavar="NPZ", required=True, help="The file to write.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@debug_option
def make_soft_labels(data: Path, teachers: tuple[Path, ...], out: Path, overwrite: bool, debug: bool) -> None:
    """Keep what teachers say of each training face, to learn from without them: fit --teacher NPZ.

    Faster than asking them during the training, and by far where they are large. They are asked about each
    face as it is and mirrored. The file holds probabilities and hashes, no faces.
    """
    with suppress_native_stderr(debug):
        if not all(is_tflite(teacher) for teacher in teachers):
            require_keras()
        if not is_answer_file(out):
            raise UsageError(f"expected a file name that ends in .npz for soft labels, got {str(out)!r}")
        check_file(out, overwrite=overwrite)
        faces = load_faces(data).split("Training")
        networks = [open_teacher(teacher, faces.label_names) for teacher in teachers]
        soft = compute_soft_labels(faces, networks, show_progress)
        write_soft_labels(out, soft)
    click.echo(f"{len(soft.keys):,} faces, {out.stat().st_size:,} bytes\nWritten to {out}")
