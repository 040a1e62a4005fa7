"""``fer-train soft-labels``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from fer_edge.errors import DataError, UsageError
from fer_edge.runtime.atomic_files import check_file
from fer_edge.runtime.locks import lock_file
from fer_train.cli.options import PATH, debug_option, require_keras
from fer_train.cli.progress import show_progress
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.splits import SplitRequest, split_dataset
from fer_train.data.views import ViewSettings
from fer_train.models.loading import Predictor, is_tflite
from fer_train.native_stderr import suppress_native_stderr
from fer_train.objectives.answer_files import is_answer_file
from fer_train.objectives.soft_labels import compute_soft_labels, write_soft_labels
from fer_train.objectives.teachers import open_teacher
from fer_train.objectives.view_answers import compute_view_answers, write_view_answers
from fer_train.training.recipes import RECIPES

__all__ = ["make_soft_labels"]

# Teachers trained with this recipe have not seen the faces that are left out.
_CALIBRATION_FOLDS: Final = RECIPES["modern"].calibration_folds


@click.command("soft-labels")
@click.argument("data", type=PATH)
@click.option(
    "--teacher",
    "teachers",
    type=PATH,
    metavar="MODEL",
    multiple=True,
    required=True,
    help="A trained run, .tflite file or bundled model. Given more than once, the mean is taken.",
)
@click.option(
    "--views",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Predict N augmented views of each face instead (view answers), for fit --recipe distill.",
)
@click.option("--out", type=PATH, metavar="NPZ", required=True, help="File to write.")
@click.option("--overwrite", is_flag=True, help="Replace the file.")
@debug_option
def make_soft_labels(
    data: Path, teachers: tuple[Path, ...], views: int | None, out: Path, overwrite: bool, debug: bool
) -> None:
    """Store a teacher's predictions of all training faces, for fit --teacher NPZ.

    Predicting once is faster than predicting during the training, and much faster with large teachers. Each
    face is predicted both as it is and mirrored. The file contains probabilities and hashes, but no faces.

    With --views, the file contains view answers: predictions of that many views of each face and of their mirror
    images. A view is an augmented copy of the face, in some views mixed with another face; three quarters of the views
    are strongly augmented. One in thirty photos is excluded; fer-train fit uses these to calibrate the network's
    temperature.
    """
    with suppress_native_stderr(debug):
        if not all(is_tflite(teacher) for teacher in teachers):
            require_keras()
        if not is_answer_file(out):
            raise UsageError(f"--out: expected a file name ending in .npz, got {str(out)!r}")
        check_file(out, overwrite=overwrite)
        with lock_file(out):
            check_file(out, overwrite=overwrite)  # another program may have finished it before it was locked
            faces = load_faces(data)
            networks = [open_teacher(teacher, faces.label_names) for teacher in teachers]
            count = (
                _write_soft_labels(out, faces, networks)
                if views is None
                else _write_view_answers(out, faces, networks, views)
            )
    click.echo(f"{count}, {out.stat().st_size:,} bytes\nWritten to {out}")


def _write_soft_labels(out: Path, faces: FaceDataset, networks: Sequence[Predictor]) -> str:
    soft = compute_soft_labels(faces.split("Training"), networks, show_progress)
    write_soft_labels(out, soft)
    return f"{len(soft.keys):,} faces"


def _write_view_answers(out: Path, faces: FaceDataset, networks: Sequence[Predictor], views: int) -> str:
    training = split_dataset(faces, SplitRequest(calibration_folds=_CALIBRATION_FOLDS)).training
    shown = training.select(~training.find_blank())
    if not len(shown):
        raise DataError(f"all {len(training)} training images are blank; check the data")
    settings = ViewSettings(strong_count=views - views // 4, mild_count=views // 4)
    write_view_answers(out, compute_view_answers(shown, networks, settings, progress=show_progress))
    return f"{len(shown):,} faces, {views} {'view' if views == 1 else 'views'} of each"
