"""Distil an ensemble into a residual network on a fixed set of views, in plain PyTorch.

The teachers are asked about each view once; their answers are kept in ``--views`` and the network trains on
exactly those views (``fer_train.data.views``), mixed ones included, strong ones first, mild ones in the end. It goes
on after an interruption, at the last finished epoch. With ``--begin-with`` it begins with the weights of a run of the
same architecture; with ``--small-epochs`` its first epochs see 32 pixels, at less than half the cost. Needs
``pip install torch``.

    python -m experiments.distill DATA --votes fer2013new.csv --teacher RUN --teacher default \\
        --soft-labels train/fer2013-soft-labels.npz --arch mini-resnet --epochs 200 --out runs/distilled
"""

from __future__ import annotations

import argparse
import copy
import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fer_edge.classification.preprocess import normalize
from fer_edge.models.spec import Crop, ModelSpec
from fer_edge.runtime.atomic_files import staged_file
from fer_edge.runtime.hashing import sha256_of_file
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.ferplus import FERPLUS_LABELS, lookup_votes
from fer_train.data.views import Views, ViewSettings, make_views
from fer_train.models.loading import Predictor
from fer_train.models.prediction import predict
from fer_train.models.run_files import MODEL_FILE, SPEC_FILE
from fer_train.objectives.soft_labels import read_soft_labels
from fer_train.objectives.teachers import apply_temperature, open_teacher

ARCHITECTURES = {"mini-resnet": (24, 32, 1, 0.3), "deep-resnet": (32, 64, 2, 0.4)}
"""Filters of the stem and of the first stage, convolutions of a residual branch, dropout."""
STAGES = 4
SMALL = 32  # pixels, of the first epochs with --small-epochs
BATCH, MOMENTUM, WARM_UP_EPOCHS, AVERAGING = 128, 0.9, 2, 0.999
TEMPERATURE, LABEL_SMOOTHING = 2.0, 0.1
MILD_FROM = 0.72  # of the epochs
STATISTICS_BATCHES = 12  # of 256 faces
# Without the instructions for it, bfloat16 is emulated and fourteen times as slow as float32.
BFLOAT16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class ResNet(nn.Module):
    """A residual network of ``fer_train.models.residual``, with an auxiliary head for the votes; logits of both."""

    def __init__(self, arch: str, labels: int, votes: int) -> None:
        super().__init__()
        filters, width, depth, dropout = ARCHITECTURES[arch]
        self.stem = _conv_bn(1, filters)
        self.convs, self.branches = nn.ModuleList(), nn.ModuleList()
        for stage in range(STAGES):
            inputs, filters = filters, width * 2**stage
            self.convs.append(_conv_bn(inputs, filters))
            self.branches.append(nn.ModuleList(_conv_bn(filters, filters) for _ in range(depth)))
        self.dropout = nn.Dropout(dropout)
        self.logits, self.votes = nn.Linear(filters, labels), nn.Linear(filters, votes)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits, float32 (batch, labels) and (batch, votes), of float32 (batch, 1, 48, 48)."""
        x = functional.relu(self.stem(x), inplace=True)
        for conv, branch in zip(self.convs, self.branches, strict=True):
            x = functional.relu(conv(functional.max_pool2d(x, 2)), inplace=True)
            residual = branch[0](x)
            for inner in branch[1:]:
                residual = inner(functional.relu(residual, inplace=True))
            x = functional.relu(x + residual, inplace=True)
        features = self.dropout(x.mean((2, 3)).float())
        return self.logits(features).float(), self.votes(features).float()


def _conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    # Keras' own epsilon, so that the weights mean the same there.
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=1e-3))


def shrink(pixels: np.ndarray) -> np.ndarray:
    """Uint8 (n, 48, 48) faces, each of its sides SMALL pixels."""
    return np.stack([cv2.resize(face, (SMALL, SMALL), interpolation=cv2.INTER_AREA) for face in pixels])


def compute_logits(network: nn.Module, pixels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's logits of uint8 (batch, side, side) faces."""
    images = torch.from_numpy(normalize(pixels))[:, None].to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
        result: tuple[torch.Tensor, torch.Tensor] = network(images)
    return result


@dataclass
class Lesson:
    """What the network learns from: faces, votes (n, 8) that sum to 1, teachers and known answers (n, 7)."""

    faces: FaceDataset
    votes: np.ndarray
    teachers: list[Predictor]
    known: np.ndarray | None
    folder: Path
    seed: int
    settings: ViewSettings = field(default_factory=ViewSettings)

    def view(self, number: int) -> tuple[Views, np.ndarray]:
        """A view, and the softened mean answer (n, 7) about it."""
        views = make_views(self.faces.pixels, number, seed=self.seed, settings=self.settings)
        answers = [
            apply_temperature(self._ask(teacher, views, number), TEMPERATURE) for teacher in self.teachers
        ]
        if self.known is not None:
            answers.append(views.mix(apply_temperature(self.known, TEMPERATURE)))
        return views, np.mean(answers, axis=0, dtype=np.float32)

    def _ask(self, teacher: Predictor, views: Views, number: int) -> np.ndarray:
        name = f"{sha256_of_file(teacher.path)[:12]}-seed{self.seed}-view{number}.npy"
        path = self.folder / name
        if not path.exists():
            answers = predict(teacher, views.pixels).astype(np.float16)
            with staged_file(path) as part:
                np.save(part, answers)
        return np.asarray(np.load(path), np.float32)


class Training:
    """The network, its optimizer and its averaged weights; saved and restored as a whole."""

    def __init__(self, arch: str, labels: int, steps: int, warm_up: int, rate: float, decay: float) -> None:
        self.network = ResNet(arch, labels, len(FERPLUS_LABELS)).to(memory_format=torch.channels_last)
        self.average = [weight.detach().clone() for weight in self.network.parameters()]
        self._steps, self._warm_up, self._rate = steps, warm_up, rate
        self.step, self.epoch = 0, 0
        kernels = [w for w in self.network.parameters() if w.dim() > 1]
        others = [w for w in self.network.parameters() if w.dim() <= 1]
        groups = [{"params": kernels, "weight_decay": decay}, {"params": others}]
        self._optimizer = torch.optim.SGD(groups, rate, momentum=MOMENTUM, nesterov=True)

    def begin_with(self, run: Path) -> None:
        """Take over the weights of a run in Keras; those of the votes' head stay as they are."""
        import keras

        model = keras.models.load_model(run / MODEL_FILE, compile=False)
        with torch.no_grad():
            for name, (convolution, norm) in list_convolutions(self.network).items():
                (kernel,) = model.get_layer(name).get_weights()
                convolution.weight.copy_(torch.from_numpy(kernel).permute(3, 2, 0, 1))
                values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
                for value, known in zip(values, model.get_layer(f"{name}_bn").get_weights(), strict=True):
                    value.copy_(torch.from_numpy(known))
            kernel, bias = model.get_layer("logits").get_weights()
            self.network.logits.weight.copy_(torch.from_numpy(kernel.T.copy()))
            self.network.logits.bias.copy_(torch.from_numpy(bias))
        self.average = [weight.detach().clone() for weight in self.network.parameters()]

    def learn(self, loss: torch.Tensor) -> None:
        """One step of training."""
        if self.step < self._warm_up:
            rate = self._rate * (self.step + 1) / self._warm_up
        else:
            done = (self.step - self._warm_up) / (self._steps - self._warm_up)
            rate = self._rate * 0.5 * (1 + math.cos(math.pi * done))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self.step += 1
        kept = min(AVERAGING, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.network.parameters()), 1 - kept)

    def save(self, path: Path) -> None:
        """Write everything that going on takes."""
        state = {
            "network": self.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "epoch": self.epoch,
        }
        with staged_file(path, sync=True) as part:
            torch.save(state, part)

    def restore(self, path: Path) -> None:
        """Go on where :meth:`save` left off."""
        state = torch.load(path, weights_only=True)
        self.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.epoch = state["average"], state["step"], state["epoch"]

    @torch.no_grad()
    def averaged(self, pixels: np.ndarray, small: bool = False) -> ResNet:
        """The averaged weights, with batch-norm statistics re-estimated on some of the training faces."""
        network = copy.deepcopy(self.network)
        for weight, average in zip(network.parameters(), self.average, strict=True):
            weight.copy_(average)
        network.train()
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        order = np.random.default_rng(7).permutation(len(pixels))
        for index in range(STATISTICS_BATCHES):
            for norm in norms:
                norm.momentum = 1 / (index + 1)  # a running mean
            some = pixels[order[index * 256 : (index + 1) * 256]]
            compute_logits(network, shrink(some) if small else some)
        return network.eval()


def train_epoch(state: Training, lesson: Lesson, epochs: int, options: argparse.Namespace) -> float:
    """Train one epoch; its mean loss."""
    mild_from = int(MILD_FROM * epochs)
    strong = lesson.settings.strong_count
    number = (
        state.epoch % strong
        if state.epoch < mild_from
        else strong + (state.epoch - mild_from) % lesson.settings.mild_count
    )
    views, answers = lesson.view(number)
    labels = np.eye(len(lesson.faces.label_names), dtype=np.float32)[lesson.faces.labels]
    labels = views.mix((1 - LABEL_SMOOTHING) * labels + LABEL_SMOOTHING / labels.shape[1])
    votes = views.mix(lesson.votes)
    pixels = shrink(views.pixels) if state.epoch < options.small_epochs else views.pixels
    torch.manual_seed(1000 * lesson.seed + state.epoch)
    order = np.random.default_rng((lesson.seed, 1 << 20, state.epoch)).permutation(len(labels))
    state.network.train()
    losses = []
    for start in range(0, len(order) - BATCH + 1, BATCH):
        chosen = order[start : start + BATCH]
        emotion, seen = compute_logits(state.network, pixels[chosen])
        taught = functional.cross_entropy(emotion / TEMPERATURE, torch.from_numpy(answers[chosen]))
        told = functional.cross_entropy(emotion, torch.from_numpy(labels[chosen]))
        voted = functional.cross_entropy(seen, torch.from_numpy(votes[chosen]))
        weight = options.teacher_weight
        loss = weight * TEMPERATURE**2 * taught + (1 - weight) * told + options.votes_weight * voted
        state.learn(loss)
        losses.append(float(loss.detach()))
    state.epoch += 1
    return float(np.mean(losses))


@torch.no_grad()
def measure_accuracy(network: nn.Module, faces: FaceDataset, small: bool = False) -> tuple[float, float]:
    """The share of faces whose label is the most probable; the same with mirror images averaged."""
    seen = shrink(faces.pixels) if small else faces.pixels
    views = (seen, np.ascontiguousarray(seen[:, :, ::-1]))
    plain, mirrored = (
        np.concatenate(
            [
                compute_logits(network, pixels[i : i + 256])[0].softmax(1).numpy()
                for i in range(0, len(pixels), 256)
            ]
        )
        for pixels in views
    )
    right = plain.argmax(1) == faces.labels, (plain + mirrored).argmax(1) == faces.labels
    return float(right[0].mean()), float(right[1].mean())


def list_convolutions(network: ResNet) -> dict[str, nn.Sequential]:
    """Convolutions with their batch norm, by the names that they have in Keras."""
    parts = {"stem": network.stem}
    for index, (conv, branch) in enumerate(zip(network.convs, network.branches, strict=True), 1):
        parts[f"stage{index}_conv"] = conv
        *inners, last = branch
        parts |= {f"stage{index}_inner{number}": inner for number, inner in enumerate(inners, 1)}
        parts[f"stage{index}_residual"] = last
    return parts


def write_run(network: ResNet, options: argparse.Namespace, faces: FaceDataset) -> None:
    """The network in Keras with its model spec, as ``fer-train evaluate`` and ``fer-convert`` read it."""
    from fer_train.models.registry import ARCHITECTURES as KERAS_ARCHITECTURES

    model = KERAS_ARCHITECTURES.load(options.arch).build(len(faces.label_names))
    for name, (convolution, norm) in list_convolutions(network).items():
        model.get_layer(name).set_weights([convolution.weight.detach().permute(2, 3, 1, 0).numpy()])
        values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        model.get_layer(f"{name}_bn").set_weights([value.detach().numpy() for value in values])
    head = network.logits
    model.get_layer("logits").set_weights([head.weight.detach().T.numpy(), head.bias.detach().numpy()])
    spec = ModelSpec(
        name=options.arch,
        labels=faces.label_names,
        interpolation="area",
        crop=Crop(square=True),
        provenance={
            "data": options.data.name,
            "votes": options.votes.name,
            "teachers": ", ".join(map(str, options.teacher)),
            "seed": options.seed,
            "epochs": options.epochs,
            **({} if options.begin_with is None else {"begun_with": str(options.begin_with)}),
            "trainer": f"experiments.distill, PyTorch {torch.__version__}",
        },
    )
    model.save(options.out / MODEL_FILE)
    (options.out / SPEC_FILE).write_text(spec.to_json(), encoding="utf-8")


def read_lesson(options: argparse.Namespace, faces: FaceDataset) -> Lesson:
    """The training faces that show something, their votes, and who is asked about them."""
    training = faces.split("Training")
    votes = lookup_votes(training, options.votes)[:, : len(FERPLUS_LABELS)].astype(np.float32)
    keep = ~training.is_blank() & (votes.sum(axis=1) > 0)
    training, votes = training.select(keep), votes[keep] / votes[keep].sum(axis=1, keepdims=True)
    known = None
    if options.soft_labels is not None:
        known = read_soft_labels(options.soft_labels, training.label_names).lookup(training.pixels)
    teachers = [open_teacher(teacher, training.label_names) for teacher in options.teacher]
    options.views.mkdir(parents=True, exist_ok=True)
    return Lesson(training, votes, teachers, known, options.views, options.seed)


def parse_options() -> argparse.Namespace:
    """The command line's options."""
    parser = argparse.ArgumentParser(
        prog="experiments.distill", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, action="append", default=[])
    parser.add_argument("--soft-labels", type=Path, help="answers about the faces as they are")
    parser.add_argument("--arch", choices=[*ARCHITECTURES], default="mini-resnet")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--views", type=Path, default=Path("runs/views"), help="keeps the teachers' answers")
    parser.add_argument("--begin-with", type=Path, metavar="RUN", help="a run whose weights to begin with")
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--small-epochs", type=int, default=0, help=f"epochs at {SMALL} pixels")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rate", type=float, default=0.06)
    parser.add_argument("--decay", type=float, default=4e-4)
    parser.add_argument("--teacher-weight", type=float, default=0.85)
    parser.add_argument("--votes-weight", type=float, default=0.3)
    parser.add_argument("--stop-after", type=float, metavar="MINUTES", help="begin no epoch after so long")
    options = parser.parse_args()
    if not options.teacher and options.soft_labels is None:
        parser.error("name at least one --teacher, or --soft-labels")
    return options


def main() -> None:
    """Train, or go on, and write the run folder; a line for each epoch."""
    options = parse_options()
    began = time.monotonic()
    torch.manual_seed(options.seed)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    faces = load_faces(options.data)
    public, lesson = faces.split("PublicTest"), read_lesson(options, faces)
    steps = len(lesson.faces) // BATCH
    state = Training(
        options.arch,
        len(faces.label_names),
        options.epochs * steps,
        WARM_UP_EPOCHS * steps,
        options.rate,
        options.decay,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / "distill.pt"
    if checkpoint.exists():
        state.restore(checkpoint)
    elif options.begin_with is not None:
        state.begin_with(options.begin_with)
    while state.epoch < options.epochs:
        if options.stop_after is not None and time.monotonic() - began > 60 * options.stop_after:
            return
        started = time.perf_counter()
        loss = train_epoch(state, lesson, options.epochs, options)
        small = state.epoch <= options.small_epochs
        plain, mirrored = measure_accuracy(state.averaged(lesson.faces.pixels, small), public, small)
        seconds = time.perf_counter() - started
        print(
            f"epoch {state.epoch}/{options.epochs}: loss {loss:.3f}, PublicTest {plain:.2%}, "
            f"{mirrored:.2%} with mirror images, {seconds:.0f} s",
            flush=True,
        )
        state.save(checkpoint)
    write_run(state.averaged(lesson.faces.pixels), options, public)


if __name__ == "__main__":
    main()
