"""Compare fine-tuning with training from scratch on labels the bundled network lacks: docs/experiments.md.

Networks are trained on FER+'s eight emotions (FER-2013 has no contempt) with a limited number of faces per label, a
fifth of them held out for early stopping. They are evaluated on PublicTest, on which neither network was trained. With
``--from-split PublicTest``, they are trained on one half of it, also new to the bundled network, and evaluated on the
other half.

    python -m experiments.own_photos table DATA VOTES --out DIR [--sizes 50 100 300] [--seeds 0 1] [--epochs 60]
    python -m experiments.own_photos recovery DATA

``table`` prints a line for each training and stores it in DIR; stored trainings are not repeated. ``recovery`` compares
the initial networks for fine-tuning, which are reconstructed from the bundled int8 files, with the files themselves.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.models.find_model import list_bundled_models
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.duplicates import duplicate_groups
from fer_train.data.ferplus import lookup_votes, relabel_by_votes
from fer_train.data.held_out import hold_out
from fer_train.evaluation.metrics import compute_metrics
from fer_train.models.initial import find_initial_model, load_initial_network
from fer_train.models.loading import open_predictor
from fer_train.models.prediction import predict
from fer_train.models.registry import ARCHITECTURES
from fer_train.objectives.labels import LabelsObjective
from fer_train.training.recipes import FINE_TUNE, Recipe, find_recipe
from fer_train.training.run import compute_class_weights
from fer_train.training.trainer import Trainer

ARCH = "mini-resnet"
METHODS = ("fine-tuned", "scratch")


def select_per_label(faces: FaceDataset, count: int, seed: int) -> FaceDataset:
    """Select at most ``count`` random faces of each label."""
    order = np.random.default_rng(seed).permutation(len(faces))
    kept = [order[faces.labels[order] == label][:count] for label in range(len(faces.label_names))]
    return faces.select(np.sort(np.concatenate(kept)))


def choose_faces(options: argparse.Namespace) -> tuple[FaceDataset, FaceDataset]:
    """Return the faces for training and those for evaluation."""
    faces = load_faces(options.data)

    def relabel(split: str) -> FaceDataset:
        chosen = faces.split(split)
        labeled = relabel_by_votes(chosen, lookup_votes(chosen, options.votes))
        return labeled.select(~labeled.find_blank())

    if options.from_split == "Training":
        return relabel("Training"), relabel("PublicTest")
    public = relabel("PublicTest")
    is_first_half = duplicate_groups(public) % 2 == 0  # duplicates stay in the same half
    return public.select(is_first_half), public.select(~is_first_half)


def find_method_recipe(method: str, epochs: int) -> Recipe:
    """Return the recipe of a method.

    Training from scratch uses small batches, for enough steps, and float32, because many CPUs emulate bfloat16.
    """
    if method == "fine-tuned":
        return find_recipe(FINE_TUNE, ARCH)
    return replace(find_recipe("modern", ARCH), bfloat16=False, ema=0.99).resize(epochs, 32)


def train(method: str, faces: FaceDataset, folder: Path, seed: int, epochs: int) -> tuple[Any, int]:
    """Train on four fifths of the faces; return the network and the number of epochs."""
    folder.mkdir(parents=True, exist_ok=True)
    split = hold_out(FaceDataset(faces.pixels, faces.labels, np.full(len(faces), "Training"), faces.source_rows,
                                 faces.label_names), 0.2, "faces")  # fmt: skip
    recipe = find_method_recipe(method, epochs)
    training = split.split("Training")
    trainer = Trainer(
        ARCHITECTURES.load(ARCH),
        recipe,
        [LabelsObjective(recipe.label_smoothing)],
        training,
        split.split("test"),
        folder,
        class_weights=compute_class_weights(training),
        seed=seed,
    )
    if method == "fine-tuned":
        trainer.begin_with(load_initial_network(find_initial_model(Path("default"))), "default")
    for _ in trainer.train_epochs():
        pass
    return trainer.build_trained_model(), len(trainer.history)


def print_table(options: argparse.Namespace) -> None:
    """Print the table, training and evaluating every network that is not stored yet."""
    source, test = choose_faces(options)
    options.out.mkdir(parents=True, exist_ok=True)
    for size in options.sizes:
        for seed in options.seeds:
            for method in METHODS:
                name = f"{options.from_split}-{size}-{seed}-{method}"
                path = options.out / f"{name}.json"
                if not path.exists():
                    faces = select_per_label(source, size, seed)
                    started = time.monotonic()
                    model, epochs = train(method, faces, options.out / name, seed, options.epochs)
                    seconds = time.monotonic() - started
                    metrics = compute_metrics(predict(model, test.pixels), test.labels, test.label_names)
                    metrics |= {"faces": len(faces), "epochs": epochs, "seconds": round(seconds)}
                    path.write_text(json.dumps(metrics))
                found = json.loads(path.read_text())
                print(
                    f"{size:4} per label, {found['faces']:5,} in total, seed {seed}, {method:10}: "
                    f"accuracy {100 * found['accuracy']:.1f} %, class mean {100 * found['mean_class_accuracy']:.1f} %, "
                    f"{found['epochs']} epochs, {found['seconds']} s",
                    flush=True,
                )


def print_recovery(options: argparse.Namespace) -> None:
    """Compare the network reconstructed from each bundled file with the file."""
    faces = load_faces(options.data).split("PublicTest")
    for name in list_bundled_models():
        network = predict(load_initial_network(find_initial_model(Path(name))), faces.pixels)
        file = predict(open_predictor(Path(name)), faces.pixels)
        shares = [100 * np.mean(predicted.argmax(axis=1) == faces.labels) for predicted in (file, network)]
        same = 100 * np.mean(file.argmax(axis=1) == network.argmax(axis=1))
        print(
            f"{name}: accuracy on {len(faces):,} faces: file {shares[0]:.2f} %, network {shares[1]:.2f} %; same "
            f"prediction for {same:.2f} %; mean difference of probabilities {np.abs(file - network).mean():.4f}",
            flush=True,
        )


def main() -> None:
    """Run the selected command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True)
    table = commands.add_parser("table")
    table.set_defaults(run=print_table)
    table.add_argument("data", type=Path)
    table.add_argument("votes", type=Path)
    table.add_argument("--out", type=Path, required=True)
    table.add_argument("--sizes", type=int, nargs="+", default=[50, 100, 300])
    table.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    table.add_argument("--epochs", type=int, default=60, help="epochs when training from scratch")
    table.add_argument("--from-split", choices=["Training", "PublicTest"], default="Training")
    recovery = commands.add_parser("recovery")
    recovery.set_defaults(run=print_recovery)
    recovery.add_argument("data", type=Path)
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
