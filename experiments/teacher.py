"""Train deep-resnet, the teacher, in plain PyTorch, and put it into a run folder as fer-train's own would be.

On a processor PyTorch trains it a third faster than Keras does on any backend; data, augmentation and
network are fer-train's. It learns from the labels, from FER+'s votes by an auxiliary head that is dropped,
and from another model's answers. Needs ``pip install torch``.

    python -m experiments.teacher DATA --votes fer2013new.csv --teacher default --out runs/deep-resnet
"""

from __future__ import annotations

import argparse
import copy
import queue
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fer_edge.classification.preprocess import normalize
from fer_edge.models.spec import Crop, ModelSpec
from fer_train.data.augmentation import Augmentation, augment
from fer_train.data.dataset import FaceDataset, load_faces
from fer_train.data.ferplus import FERPLUS_LABELS, lookup_votes
from fer_train.models.loading import Predictor
from fer_train.models.run_files import MODEL_FILE, SPEC_FILE
from fer_train.objectives.teachers import apply_temperature, open_teacher

NAME = "deep-resnet"
STEM, WIDTHS = 32, (64, 128, 256, 512)
BATCH, RATE, MOMENTUM, DECAY = 128, 0.08, 0.9, 5e-4
WARM_UP_EPOCHS, AVERAGING = 2, 0.999
LABEL_SMOOTHING, TEACHER_WEIGHT, TEMPERATURE, VOTES_WEIGHT = 0.1, 0.5, 2.0, 0.5
STRONG = Augmentation(rotation=10.0, shift=0.1, scale=0.1, contrast=0.3, brightness=25.0, erase=0.25)
MILD = Augmentation(rotation=6.0, shift=0.05, scale=0.06, contrast=0.2, brightness=15.0)
PLAIN = Augmentation()
MILD_FROM, PLAIN_FROM = 0.7, 0.94  # of the epochs
STATISTICS_BATCHES = 12  # of 256 faces
# Without the instructions for it, bfloat16 is emulated and fourteen times as slow as float32.
BFLOAT16 = bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class DeepResNet(nn.Module):
    """The network of ``fer_train.models.registry``, with an auxiliary head for the votes; logits of both."""

    def __init__(self, labels: int, votes: int) -> None:
        super().__init__()
        self.stem = _conv_bn(1, STEM)
        self.convs, self.inners, self.residuals = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        filters = STEM
        for width in WIDTHS:
            self.convs.append(_conv_bn(filters, width))
            self.inners.append(_conv_bn(width, width))
            self.residuals.append(_conv_bn(width, width))
            filters = width
        self.dropout = nn.Dropout(0.4)
        self.logits, self.votes = nn.Linear(filters, labels), nn.Linear(filters, votes)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits, float32 (batch, labels) and (batch, votes), of float32 (batch, 1, 48, 48)."""
        x = functional.relu(self.stem(x), inplace=True)
        for conv, inner, residual in zip(self.convs, self.inners, self.residuals, strict=True):
            x = functional.relu(conv(functional.max_pool2d(x, 2)), inplace=True)
            x = functional.relu(x + residual(functional.relu(inner(x), inplace=True)), inplace=True)
        features = self.dropout(x.mean((2, 3)).float())
        return self.logits(features).float(), self.votes(features).float()


def _conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    # Keras' own epsilon, so that the weights mean the same there.
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs, eps=1e-3)
    )


def logits(network: nn.Module, pixels: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """The network's logits of uint8 (batch, 48, 48) faces, in bfloat16 where the processor has it."""
    images = torch.from_numpy(normalize(pixels))[:, None].to(memory_format=torch.channels_last)
    with torch.autocast("cpu", torch.bfloat16, enabled=BFLOAT16):
        result: tuple[torch.Tensor, torch.Tensor] = network(images)
    return result


def batches(
    faces: FaceDataset,
    votes: np.ndarray,
    teacher: Predictor | None,
    settings: Augmentation,
    key: tuple[int, int],
) -> Iterator[tuple[np.ndarray, ...]]:
    """An epoch's augmented faces, labels, votes and teacher's answers, made in a thread ahead of the training."""
    ready: queue.Queue[tuple[np.ndarray, ...] | None] = queue.Queue(6)
    order = np.random.default_rng(key).permutation(len(faces))

    def make() -> None:
        for step in range(len(faces) // BATCH):
            chosen = order[step * BATCH : (step + 1) * BATCH]
            pixels = augment(faces.pixels[chosen], settings, np.random.default_rng((*key, step)))
            answers = () if teacher is None else (apply_temperature(teacher(pixels), TEMPERATURE),)
            ready.put((pixels, faces.labels[chosen], votes[chosen], *answers))
        ready.put(None)

    threading.Thread(target=make, daemon=True).start()
    return iter(ready.get, None)


def loss_of(network: nn.Module, batch: tuple[np.ndarray, ...]) -> torch.Tensor:
    """The weighted cross-entropies of labels, votes and, softened, the teacher's answers."""
    pixels, labels, votes, *answers = batch
    emotion, seen = logits(network, pixels)
    share = TEACHER_WEIGHT if answers else 0.0
    loss = (1 - share) * functional.cross_entropy(
        emotion, torch.from_numpy(labels), label_smoothing=LABEL_SMOOTHING
    ) + VOTES_WEIGHT * functional.cross_entropy(seen, torch.from_numpy(votes))
    for answer in answers:
        taught = functional.cross_entropy(emotion / TEMPERATURE, torch.from_numpy(answer))
        loss = loss + share * TEMPERATURE**2 * taught
    return loss


class Training:
    """The network, its optimizer and its averaged weights."""

    def __init__(self, labels: int, steps: int, warm_up: int) -> None:
        self.network = DeepResNet(labels, len(FERPLUS_LABELS)).to(memory_format=torch.channels_last)
        self.average = [weight.detach().clone() for weight in self.network.parameters()]
        self._steps, self._warm_up, self._step = steps, warm_up, 0
        kernels = [w for w in self.network.parameters() if w.dim() > 1]
        others = [w for w in self.network.parameters() if w.dim() <= 1]
        self._optimizer = torch.optim.SGD(
            [{"params": kernels, "weight_decay": DECAY}, {"params": others}],
            RATE,
            momentum=MOMENTUM,
            nesterov=True,
        )

    def step(self, batch: tuple[np.ndarray, ...]) -> float:
        """One step of training; its loss."""
        if self._step < self._warm_up:
            rate = RATE * (self._step + 1) / self._warm_up
        else:
            done = (self._step - self._warm_up) / (self._steps - self._warm_up)
            rate = RATE * 0.5 * (1 + np.cos(np.pi * done))
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        loss = loss_of(self.network, batch)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._optimizer.step()
        self._step += 1
        kept = min(AVERAGING, (1 + self._step) / (10 + self._step))
        with torch.no_grad():
            torch._foreach_lerp_(self.average, list(self.network.parameters()), 1 - kept)
        return float(loss.detach())

    @torch.no_grad()
    def averaged(self, pixels: np.ndarray) -> DeepResNet:
        """The averaged weights, with batch-norm statistics re-estimated on some of the training faces."""
        network = copy.deepcopy(self.network)
        for weight, average in zip(network.parameters(), self.average, strict=True):
            weight.copy_(average)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        order = np.random.default_rng(7).permutation(len(pixels))
        for index in range(STATISTICS_BATCHES):
            for norm in norms:
                norm.momentum = 1 / (index + 1)  # a running mean
            logits(network, pixels[order[index * 256 : (index + 1) * 256]])
        return network.eval()


@torch.no_grad()
def accuracy(network: nn.Module, faces: FaceDataset) -> float:
    """The share of faces whose label is the network's first answer."""
    right = 0
    for start in range(0, len(faces), 256):
        answers = logits(network, faces.pixels[start : start + 256])[0].argmax(1).numpy()
        right += int((answers == faces.labels[start : start + 256]).sum())
    return right / len(faces)


def write_run(network: DeepResNet, faces: FaceDataset, provenance: dict[str, object], run: Path) -> None:
    """The network in Keras with its contract, as ``fer-train evaluate`` and ``soft-labels`` read it."""
    from fer_train.models.registry import ARCHITECTURES

    model = ARCHITECTURES.load(NAME).build(len(faces.label_names))
    parts = {"stem": network.stem}
    for kind, modules in (
        ("conv", network.convs),
        ("inner1", network.inners),
        ("residual", network.residuals),
    ):
        parts |= {f"stage{index}_{kind}": module for index, module in enumerate(modules, 1)}
    for name, (convolution, norm) in parts.items():
        model.get_layer(name).set_weights([convolution.weight.detach().permute(2, 3, 1, 0).numpy()])
        values = (norm.weight, norm.bias, norm.running_mean, norm.running_var)
        model.get_layer(f"{name}_bn").set_weights([value.detach().numpy() for value in values])
    last = network.logits
    model.get_layer("logits").set_weights([last.weight.detach().T.numpy(), last.bias.detach().numpy()])
    spec = ModelSpec(
        name=NAME,
        labels=faces.label_names,
        interpolation="area",
        crop=Crop(square=True),
        provenance=provenance,
    )
    run.mkdir(parents=True)
    model.save(run / MODEL_FILE)
    (run / SPEC_FILE).write_text(spec.to_json(), encoding="utf-8")


def main() -> None:
    """Train and write the run folder; a line for each epoch."""
    parser = argparse.ArgumentParser(prog="experiments.teacher", description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--votes", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, help="a model to learn from, too")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=36)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.out.exists():
        parser.error(f"{options.out} is there already")
    torch.manual_seed(options.seed)
    faces = load_faces(options.data)
    public, training = faces.split("PublicTest"), faces.split("Training")
    votes = lookup_votes(training, options.votes)[:, : len(FERPLUS_LABELS)].astype(np.float32)
    keep = ~training.is_blank() & (votes.sum(axis=1) > 0)
    training, votes = training.select(keep), votes[keep] / votes[keep].sum(axis=1, keepdims=True)
    teacher = None if options.teacher is None else open_teacher(options.teacher, training.label_names)
    steps = len(training) // BATCH
    state = Training(len(training.label_names), options.epochs * steps, WARM_UP_EPOCHS * steps)
    for epoch in range(options.epochs):
        done = epoch / options.epochs
        settings = PLAIN if done >= PLAIN_FROM else MILD if done >= MILD_FROM else STRONG
        started = time.perf_counter()
        key = (options.seed, epoch)
        losses = [state.step(batch) for batch in batches(training, votes, teacher, settings, key)]
        speed = steps * BATCH / (time.perf_counter() - started)
        network = state.averaged(training.pixels)
        print(
            f"epoch {epoch + 1}/{options.epochs}: loss {np.mean(losses):.3f}, "
            f"PublicTest {accuracy(network, public):.2%}, {speed:.0f} images/s",
            flush=True,
        )
    provenance = {
        "data": options.data.name,
        "votes": options.votes.name,
        "teachers": None if options.teacher is None else str(options.teacher),
        "seed": options.seed,
        "epochs": options.epochs,
        "trainer": f"experiments.teacher, PyTorch {torch.__version__}",
    }
    write_run(
        network, public, {name: value for name, value in provenance.items() if value is not None}, options.out
    )


if __name__ == "__main__":
    main()
