"""``fer-train crop``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import cast

import click

from fer_edge.cli.messages import say
from fer_edge.detectors.registry import DEFAULT_DETECTOR, DETECTORS, create_detector
from fer_edge.errors import DataError
from fer_edge.runtime.shutdown import Terminated
from fer_edge.runtime.staged_folders import check_staged_folder
from fer_edge.runtime.tables import format_count
from fer_train.cli.options import PATH, debug_option
from fer_train.cli.progress import show_progress
from fer_train.data.output_place import check_outside_data
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["crop"]


@click.command("crop")
@click.argument("photos", type=PATH, metavar="DIR")
@click.option("--out", type=PATH, metavar="DIR", required=True, help="Folder to write the face crops to.")
@click.option(
    "--detector",
    type=click.Choice([name for name in DETECTORS.names if name != "none"]),
    default=DEFAULT_DETECTOR,
    show_default=True,
    help="Face detector. yunet also finds tilted and turned faces and levels them (fer-edge get yunet).",
)
@click.option(
    "--detector-model",
    type=PATH,
    metavar="PATH",
    help="Model file for the detector, instead of the downloaded one.",
)
@click.option(
    "--faces",
    "choice",
    type=click.Choice(["one", "largest"]),
    default="one",
    show_default=True,
    help="For a photo with several faces of similar size: one leaves it out, largest takes the largest face.",
)
@click.option(
    "--min-face",
    type=click.IntRange(12),
    metavar="PX",
    help="Leave out photos whose face is smaller than this many pixels.  [default: 40]",
)
@click.option("--overwrite", is_flag=True, help="Replace the output of an earlier crop in the folder.")
@debug_option
def crop(
    photos: Path,
    out: Path,
    detector: str,
    detector_model: Path | None,
    choice: str,
    min_face: int | None,
    overwrite: bool,
    debug: bool,
) -> None:
    """Crop faces from photos to train on.

    DIR contains one folder of photos per label, such as smile/ and other/, or train/ and test/ with such
    folders. Face crops are upright, framed as the networks expect, and written as PNG files with the same folder and
    file names. Photos are left out if they show no face, several faces, or a small, blurred or doubtful face;
    crops.csv lists the reasons. Check contact-sheet.png before you train.

    \b
    fer-train crop photos --out photos-cropped
    fer-train fit photos-cropped --from default --val-share 0.2 --out runs/mine
    """
    from fer_train.data.photos.crop import CROP_LIST, crop_photos
    from fer_train.data.photos.faces import MIN_FACE, FaceChoice
    from fer_train.data.readers.image_folder import CONTACT_SHEET

    check_outside_data(out, photos)
    with suppress_native_stderr(debug):
        check_staged_folder(out, overwrite=overwrite)
        try:
            with closing(create_detector(detector, still_image=True, model=detector_model)) as finder:
                summary = crop_photos(
                    photos,
                    out,
                    finder,
                    choice=cast("FaceChoice", choice),
                    min_face=MIN_FACE if min_face is None else min_face,
                    overwrite=overwrite,
                    progress=show_progress,
                )
        except (KeyboardInterrupt, Terminated):
            say("Interrupted: nothing was written")
            raise
    for line in summary.format_lines():
        click.echo(line)
    click.echo(f"\nWritten to {out}: check {CONTACT_SHEET}; {CROP_LIST} lists what was left out and why")
    if summary.unreadable:
        raise DataError(
            f"cannot read {format_count(summary.unreadable, 'photo')}, listed in {out / CROP_LIST}; "
            "all other photos were processed"
        )
