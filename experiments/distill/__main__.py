"""Train an ensemble and distill it into the bundled networks, in about twelve minutes on one large GPU.

1. Train five wide networks on labels and votes, each without one of five groups of Training's photos.
2. Let them predict a fixed set of views of each face. A view's target is half the prediction of the network that did
   not train on the face's group, and half the mean of the others.
3. Train three deep networks on those views and targets. The mean of their predictions and the targets of step 2 is
   saved as ``OUT/answers.npz``, from which ``fer-train fit --recipe distill`` can train on any machine.
4. Train the requested student networks on the saved targets and write them as run folders.

Networks that already exist in OUT are not trained again. Requires ``pip install torch``; without a GPU this takes days.

    python -m experiments.distill DATA --votes fer2013new.csv --out runs/distilled \\
        --pupil mini-resnet --pupil deep-resnet --pupil bn-cnn
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from experiments.distill.networks import ARCHITECTURES, build, copy_into_keras
from experiments.distill.training import TEMPERATURE, Lesson, Member, Task, ask, train_together
from experiments.distill.views_ahead import ViewRequest, ViewsAhead
from fer_edge.models.spec import Crop, ModelSpec
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.duplicates import assign_folds, duplicate_groups
from fer_train.data.face_hashes import hash_faces
from fer_train.data.ferplus import FERPLUS_LABELS, lookup_votes
from fer_train.data.splits import limit_faces
from fer_train.data.views import ViewSettings
from fer_train.models.run_files import MODEL_FILE, SPEC_FILE
from fer_train.objectives.view_answers import (
    ViewAnswers,
    encode_probabilities,
    read_view_answers,
    write_view_answers,
)

FOLDS, CALIBRATION_FOLDS = 5, 30
TEACHER, SECOND, SECONDS = "wide-resnet", "deep-resnet", 3
VIEWS = ViewSettings(strong_count=32, mild_count=8)
TEACHER_VIEWS_SEED, TEACHER_STRONG = 100, 0.7  # TEACHER_STRONG: share of the epochs with strong views
MILD_FROM = 0.72  # share of a student's epochs after which mild views follow
ORIGIN = "five wide-resnets of a fold each, three deep-resnets"
PUPILS: dict[str, dict[str, Any]] = {
    "mini-resnet": {"epochs": 170, "seed": 32, "decay": 4e-4},
    "deep-resnet": {"epochs": 170, "seed": 30},
    "bn-cnn": {"epochs": 110, "seed": 40, "rate": 0.03, "decay": 2e-3},
}


@dataclass(frozen=True)
class Classroom:
    """Data shared by all stages.

    ``votes`` is float32 (n, classes) and sums to 1 per row; ``groups``, uint8 (n,), is the fold of each training face.
    """

    options: argparse.Namespace
    training: FaceDataset
    votes: np.ndarray
    groups: np.ndarray
    calibration: FaceDataset
    public: FaceDataset
    device: torch.device

    def lesson(self) -> Lesson:
        """Return the training faces on the device."""
        faces = self.training
        return Lesson(faces.pixels, faces.labels, len(faces.label_names), self.votes, self.device)

    def path(self, name: str) -> Path:
        """Return the path of a result in the output folder."""
        return Path(self.options.out / name)


def read_classroom(options: argparse.Namespace) -> Classroom:
    """Load the usable training faces, without the calibration fold on which temperatures are fitted."""
    faces = load_faces(options.data)
    training = faces.split("Training")
    votes = lookup_votes(training, options.votes)[:, : len(FERPLUS_LABELS)].astype(np.float32)
    photos = duplicate_groups(training)
    left_out = assign_folds(photos, training.labels, CALIBRATION_FOLDS) == 0
    keep = ~training.find_blank() & (votes.sum(axis=1) > 0) & ~left_out
    if options.limit is not None:
        keep &= np.cumsum(keep) <= options.limit
    calibration = training.select(left_out & ~training.find_blank())
    return Classroom(
        options,
        training.select(keep),
        votes[keep] / votes[keep].sum(axis=1, keepdims=True),
        assign_folds(photos[keep], training.labels[keep], FOLDS).astype(np.uint8),
        calibration,
        limit_faces(faces.split("PublicTest"), options.limit),
        torch.device(options.device),
    )


def teach(room: Classroom, lesson: Lesson, ahead: ViewsAhead) -> list[nn.Module]:
    """Train the teachers, each without one group, or load them if they already exist."""
    paths = [room.path(f"teacher-{fold}.pt") for fold in range(FOLDS)]
    if all(path.exists() for path in paths):
        return [_restore(path, TEACHER, lesson) for path in paths]
    tasks = [
        Task(
            name=f"without group {fold}",
            arch=TEACHER,
            faces=np.flatnonzero(room.groups != fold),
            epochs=room.options.teacher_epochs,
            seed=11 + fold,
            rate=0.08,
            teacher_weight=0.0,
            votes_weight=0.5,
        )
        for fold in range(FOLDS)
    ]
    networks = train_together(
        tasks, lesson, lambda epoch: lesson.load(ahead[epoch], None), partial(report, "teachers", room)
    )
    for path, network in zip(paths, networks, strict=True):
        torch.save(network.state_dict(), path)
    return networks


def answer(
    room: Classroom, lesson: Lesson, teachers: list[nn.Module], ahead: ViewsAhead, first: int
) -> np.ndarray:
    """Return the teachers' softened predictions for the saved views, float32 (views, n, classes)."""
    answers = np.empty((VIEWS.count, *lesson.labels.shape), np.float32)
    groups = torch.from_numpy(room.groups.astype(np.int64)).to(room.device)
    for view in range(VIEWS.count):
        pixels = torch.from_numpy(ahead[first + view].pixels).to(room.device)
        given = torch.stack([ask(teacher, pixels, TEMPERATURE) for teacher in teachers])
        unseen = given[groups, torch.arange(len(groups), device=room.device)]
        answers[view] = ((unseen + (given.sum(0) - unseen) / (FOLDS - 1)) / 2).cpu().numpy()
    return answers


def learn(
    title: str, tasks: list[Task], room: Classroom, lesson: Lesson, views: Callable[[int], Any], answers: Any
) -> list[nn.Module]:
    """Train networks on the saved views, strong ones first, with the targets ``answers(view)``."""

    def load(epoch: int) -> None:
        mild_from = int(MILD_FROM * tasks[0].epochs)
        strong, mild = VIEWS.strong_count, VIEWS.mild_count
        view = epoch % strong if epoch < mild_from else strong + (epoch - mild_from) % mild
        lesson.load(views(view), answers(view))

    return train_together(tasks, lesson, load, partial(report, title, room))


def make_answers(room: Classroom) -> ViewAnswers:
    """Return the targets for students: read the saved ones, or create them (steps 1 to 3)."""
    path, training = room.path("answers.npz"), room.training
    if path.exists():
        return read_view_answers(path, training.label_names)
    epochs = room.options.teacher_epochs
    strong = round(TEACHER_STRONG * epochs)
    changes = ViewSettings(strong_count=strong, mild_count=epochs - strong)
    wanted = [ViewRequest(number, TEACHER_VIEWS_SEED, changes) for number in range(epochs)]
    wanted += [ViewRequest(number, 0, VIEWS) for number in range(VIEWS.count)]
    ahead = ViewsAhead(training.pixels, room.groups, wanted)
    lesson = room.lesson()
    first = answer(room, lesson, teach(room, lesson, ahead), ahead, epochs)
    tasks = [
        Task(
            name=f"second {number}",
            arch=SECOND,
            faces=np.arange(len(training)),
            epochs=room.options.second_epochs,
            seed=20 + number,
        )
        for number in range(SECONDS)
    ]
    networks = learn(
        "second", tasks, room, lesson, lambda view: ahead[epochs + view], lambda view: first[view]
    )
    kept = np.empty((len(training), VIEWS.count, len(training.label_names)), np.uint8)
    for view in range(VIEWS.count):
        pixels = torch.from_numpy(ahead[epochs + view].pixels).to(room.device)
        given = torch.stack([ask(network, pixels, TEMPERATURE) for network in networks]).mean(0).cpu().numpy()
        kept[:, view] = encode_probabilities((given + first[view]) / 2)
    answers = ViewAnswers(
        labels=training.label_names,
        keys=hash_faces(training.pixels),
        groups=room.groups,
        probabilities=kept,
        temperature=TEMPERATURE,
        seed=0,
        settings=VIEWS,
        origin=ORIGIN,
    )
    write_view_answers(path, answers)
    return answers


def teach_pupil(room: Classroom, answers: ViewAnswers, arch: str) -> None:
    """Train one student on the saved targets and write its run folder, unless it exists."""
    run = room.path(arch)
    if (run / SPEC_FILE).exists():
        return
    requests = [ViewRequest(number, answers.seed, answers.settings) for number in range(VIEWS.count)]
    ahead = ViewsAhead(room.training.pixels, answers.groups, requests)
    lesson = room.lesson()
    settings = (
        PUPILS[arch]
        if room.options.pupil_epochs is None
        else {**PUPILS[arch], "epochs": room.options.pupil_epochs}
    )
    task = Task(name=arch, arch=arch, faces=np.arange(len(room.training)), **settings)
    (network,) = learn(arch, [task], room, lesson, lambda view: ahead[view], answers.get_probabilities)
    write_run(room, network, task, run)


def report(title: str, room: Classroom, epoch: int, members: list[Member], seconds: float) -> None:
    """Print the PublicTest accuracy of the averaged weights, every tenth epoch and after the last."""
    if (epoch + 1) % 10 and epoch + 1 < members[0].task.epochs:
        return
    pixels = torch.from_numpy(room.public.pixels).to(room.device)
    labels = torch.from_numpy(room.public.labels).to(room.device)
    for member in members:
        network = member.averaged()
        plain, mirrored = (ask(network, pixels, mirror=mirror) for mirror in (False, True))
        right = [float((given.argmax(1) == labels).float().mean()) for given in (plain, mirrored)]
        entropy = float(functional.nll_loss(plain.clamp_min(1e-9).log(), labels))
        print(
            f"{title}, epoch {epoch + 1}/{member.task.epochs}, {seconds:.1f} s: {member.task.name}, "
            f"loss {float(member.loss) / member.steps:.3f}, PublicTest {right[0]:.2%}, "
            f"{right[1]:.2%} with mirror images, cross-entropy {entropy:.3f}",
            flush=True,
        )


def write_run(room: Classroom, network: nn.Module, task: Task, run: Path) -> None:
    """Write the network as a Keras run folder with its temperature and model spec."""
    from fer_train.evaluation.temperature_scaling import scale_model
    from fer_train.models.registry import ARCHITECTURES as KERAS_ARCHITECTURES

    labels = room.training.label_names
    model = KERAS_ARCHITECTURES.load(task.arch).build(len(labels))
    copy_into_keras(network, model)
    temperature = scale_model(model, room.calibration)
    spec = ModelSpec(
        name=task.arch,
        labels=labels,
        interpolation="area",
        crop=Crop(square=True),
        provenance={
            "data": room.options.data.name,
            "votes": room.options.votes.name,
            "teachers": ORIGIN,
            "recipe": "distill",
            "seed": task.seed,
            "epochs": task.epochs,
            "temperature": round(temperature, 4),
            "framing": "whole",
            "licence": "weights learned from research-only data (FER-2013)",
            "trainer": f"experiments.distill, PyTorch {torch.__version__}",
        },
    )
    run.mkdir(parents=True, exist_ok=True)
    model.save(run / MODEL_FILE)
    (run / SPEC_FILE).write_text(spec.to_json(), encoding="utf-8")


def _restore(path: Path, arch: str, lesson: Lesson) -> nn.Module:
    network = build(arch, lesson.classes, lesson.device)
    network.load_state_dict(torch.load(path, weights_only=True, map_location=lesson.device))
    return network.eval()


def parse_options() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="experiments.distill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pupil", action="append", choices=[*PUPILS], default=[], metavar="ARCH")
    parser.add_argument("--teacher-epochs", type=int, default=70)
    parser.add_argument("--second-epochs", type=int, default=100)
    parser.add_argument("--pupil-epochs", type=int, help="epochs of each student (default: as bundled)")
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="use only N faces of each split (at least 200), for a trial run",
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return parser.parse_args()


def main() -> None:
    """Run all steps."""
    options = parse_options()
    options.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    torch.backends.cudnn.benchmark = True
    room = read_classroom(options)
    answers = make_answers(room)
    for arch in options.pupil:
        teach_pupil(room, answers, arch)


assert set(PUPILS) <= set(ARCHITECTURES)

if __name__ == "__main__":
    main()
