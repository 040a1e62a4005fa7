"""``fer-train evaluate``."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import click
import numpy as np

from fer_edge.cli.completion import complete_model
from fer_edge.runtime.atomic_files import check_file_in_folder
from fer_edge.runtime.locks import lock_folder
from fer_train.cli.options import PATH, debug_option, require_keras, require_package, skip_unreadable_option
from fer_train.cli.progress import show_progress
from fer_train.data.checks import find_data_problems, find_prediction_problems, is_user_data
from fer_train.data.dataset import SPLITS, FaceDataset
from fer_train.data.ferplus import lookup_votes, relabel_by_votes
from fer_train.data.held_out import choose_split, load_faces_of_model
from fer_train.data.output_place import check_outside_data
from fer_train.evaluation.evaluate import evaluate, write_evaluation
from fer_train.evaluation.report import format_report
from fer_train.models.loading import is_tflite, read_model_spec
from fer_train.models.run_files import CONFUSION_FILE, LABELS_FILE, RELIABILITY_FILE, REPORT_FILE
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["evaluate_model"]

_LOG: Final = logging.getLogger(__name__)


@click.command("evaluate")
@click.argument("model", type=PATH, shell_complete=complete_model)
@click.argument("data", type=PATH)
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    help="Split to evaluate on; test is the held-out part of your own data.  [default: PublicTest, or test]",
)
@click.option("--out", type=PATH, metavar="DIR", help=f"Write {REPORT_FILE} and plots to this folder.")
@click.option("--votes", type=PATH, metavar="CSV", help="FER+ votes, for a model with the eight FER+ labels.")
@click.option("--overwrite", is_flag=True, help="Replace an existing report in the output folder.")
@skip_unreadable_option
@debug_option
def evaluate_model(
    model: Path,
    data: Path,
    split: str | None,
    out: Path | None,
    votes: Path | None,
    overwrite: bool,
    skip_unreadable: bool,
    debug: bool,
) -> None:
    """Evaluate a model on a split of DATA.

    MODEL is a run folder, a .keras file next to its spec.json, a .tflite file or the name of a bundled model. The
    last two do not need TensorFlow.
    """
    with suppress_native_stderr(debug):
        if not is_tflite(model):
            require_keras()
        if out is not None:
            check_outside_data(out, data)
        with nullcontext() if out is None else lock_folder(out):
            if out is not None:
                require_package("matplotlib", "Matplotlib")
                check_file_in_folder(out, REPORT_FILE, overwrite=overwrite)
            spec = read_model_spec(model)
            faces = load_faces_of_model(spec, data, skip_unreadable=skip_unreadable)
            split = choose_split(spec, faces, split, str(data))
            if votes is not None:
                faces = relabel_by_votes(faces, lookup_votes(faces, votes))
            report = evaluate(model, faces, split, show_progress)
            _warn_about_problems(faces.split(split), report, str(data))
            if out is not None:
                write_evaluation(out, report)
    click.echo(format_report(report))
    if out is not None:
        names = (REPORT_FILE, CONFUSION_FILE, LABELS_FILE, RELIABILITY_FILE)
        click.echo(f"\nWritten to {out}: {', '.join(names)}")


def _warn_about_problems(faces: FaceDataset, report: dict[str, Any], name: str) -> None:
    """Warn about problems with the evaluated faces and with the predictions."""
    confusion = report["confusion"]
    problems = find_prediction_problems(np.array(confusion["counts"]), tuple(confusion["labels"]))
    for problem in [*(find_data_problems(faces, name) if is_user_data(faces) else []), *problems]:
        _LOG.warning("%s", problem, extra={"hint": problem.hint})
