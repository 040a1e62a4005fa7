"""``fer-train crop``."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import cast

import click

from fer_edge.detectors.registry import DEFAULT_DETECTOR, DETECTORS, create_detector
from fer_edge.errors import DataError
from fer_edge.runtime.atomic_files import check_staged_folder
from fer_edge.runtime.shutdown import Terminated
from fer_edge.runtime.tables import counted
from fer_train.cli.options import PATH, debug_option
from fer_train.cli.progress import show_progress
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["crop"]


@click.command("crop")
@click.argument("photos", type=PATH, metavar="DIR")
@click.option("--out", type=PATH, metavar="DIR", required=True, help="The folder for the faces.")
@click.option(
    "--detector",
    type=click.Choice([name for name in DETECTORS.names if name != "none"]),
    default=DEFAULT_DETECTOR,
    show_default=True,
    help="How faces are found; yunet sees tilted and turned ones and levels them (fer-edge get yunet).",
)
@click.option(
    "--detector-model", type=PATH, metavar="PATH", help="The detector's model instead of the downloaded one."
)
@click.option(
    "--faces",
    "choice",
    type=click.Choice(["one", "largest"]),
    default="one",
    show_default=True,
    help="Of several faces of similar size: leave the photo out, or take the largest.",
)
@click.option(
    "--min-face",
    type=click.IntRange(12),
    metavar="PX",
    help="Leave out photos whose face is smaller than that.  [default: 40]",
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier crop wrote into the folder.")
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
    """Cut the faces out of ordinary photos, to train on them.

    DIR holds a folder of photos for each label, such as smile/ and other/, or train/ and test/ with such
    folders. The faces keep these folders and names, upright and framed as the networks see them, as PNG files.
    Photos without a face, with several, or with one that is small, blurred or doubtful are left out: crops.csv
    says why. Look at contact-sheet.png before you train.

    \b
    fer-train crop photos --out photos-cropped
    fer-train fit photos-cropped --from default --val-share 0.2 --out runs/mine
    """
    from fer_train.data.photos.crop import CROP_LIST, crop_photos
    from fer_train.data.photos.faces import MIN_FACE, FaceChoice
    from fer_train.data.readers.image_folder import CONTACT_SHEET

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
            click.echo("Interrupted; nothing was written", err=True)
            raise
    for line in summary.format_lines():
        click.echo(line)
    click.echo(f"\nWritten to {out}: {CONTACT_SHEET} to look at, {CROP_LIST} with what was left out and why")
    if summary.unreadable:
        raise DataError(
            f"{counted(summary.unreadable, 'photo')} could not be read; {out / CROP_LIST} names them, "
            "the others are done"
        )
