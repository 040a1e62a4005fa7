"""Concurrent training of several networks on the same views, each as a CUDA graph on its own stream.

A network of this size leaves most of a GPU idle, and half of each step is spent launching kernels. Five networks
trained together take only three times as long as one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from experiments.distill.networks import build, compute_logits
from fer_train.data.views import Views

BATCH, MOMENTUM, WARM_UP_EPOCHS, AVERAGING = 128, 0.9, 2, 0.999
TEMPERATURE, LABEL_SMOOTHING = 2.0, 0.1
STATISTICS_BATCHES, STATISTICS_BATCH = 12, 512


@dataclass(frozen=True, kw_only=True)
class Task:
    """The training settings of one network.

    ``faces`` holds the indices of its training faces. ``teacher_weight`` is the weight of the teachers' predictions in
    the loss, against that of the labels; ``votes_weight`` is the loss weight of the votes.
    """

    name: str
    arch: str
    faces: np.ndarray
    epochs: int
    seed: int
    rate: float = 0.06
    decay: float = 5e-4
    teacher_weight: float = 0.85
    votes_weight: float = 0.3


class Lesson:
    """The faces on the device, and the views and targets of one epoch at fixed addresses."""

    def __init__(
        self, pixels: np.ndarray, labels: np.ndarray, classes: int, votes: np.ndarray, device: torch.device
    ) -> None:
        self.classes, self.device = classes, device
        self.faces = torch.from_numpy(pixels).to(device)
        smooth = (1 - LABEL_SMOOTHING) * np.eye(classes, dtype=np.float32)[labels] + LABEL_SMOOTHING / classes
        self._own_labels, self._own_votes = (torch.from_numpy(own).to(device) for own in (smooth, votes))
        self.pixels = torch.empty_like(self.faces)
        self.labels, self.votes = torch.empty_like(self._own_labels), torch.empty_like(self._own_votes)
        self.answers = torch.zeros_like(self._own_labels)

    def load(self, views: Views, answers: np.ndarray | None) -> None:
        """Copy the views and softened predictions (n, classes) of the next epoch to the device."""
        self.pixels.copy_(torch.from_numpy(views.pixels))
        shares = torch.from_numpy(views.shares).to(self.device)[:, None]
        partners = torch.from_numpy(views.partners).to(self.device)
        for target, own in ((self.labels, self._own_labels), (self.votes, self._own_votes)):
            target.copy_(shares * own + (1 - shares) * own[partners])
        if answers is not None:
            self.answers.copy_(torch.from_numpy(answers))


class Member:
    """A network in training: SGD with Nesterov momentum, warm-up, cosine decay and averaged weights."""

    def __init__(self, task: Task, lesson: Lesson) -> None:
        torch.manual_seed(task.seed)
        self.task, self._lesson = task, lesson
        device = lesson.device
        self._network = build(task.arch, lesson.classes, device).train()
        self._weights = list(self._network.parameters())
        self._average = [weight.detach().clone() for weight in self._weights]
        self._momentum = [torch.zeros_like(weight) for weight in self._weights]
        self._kernels = [index for index, weight in enumerate(self._weights) if weight.dim() > 1]
        self._faces = torch.as_tensor(task.faces, device=device)
        self.steps = len(task.faces) // BATCH
        self._rates, self._kept = (
            torch.from_numpy(values.astype(np.float32)).to(device) for values in _schedule(task, self.steps)
        )
        # CUDA graphs read from fixed addresses: the step number and the epoch's batches are updated in place.
        self._step = torch.zeros(1, dtype=torch.int64, device=device)
        self._order = torch.zeros(self.steps, BATCH, dtype=torch.int64, device=device)
        self.loss = torch.zeros((), device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._stream = torch.cuda.Stream() if device.type == "cuda" else None

    def begin(self, epoch: int) -> None:
        """Shuffle the faces for an epoch."""
        generator = torch.Generator().manual_seed(10007 * self.task.seed + epoch)
        order = torch.randperm(len(self._faces), generator=generator)[: self.steps * BATCH]
        self._order.copy_(self._faces[order.to(self._faces.device)].view(self.steps, BATCH))
        self.loss.zero_()

    def capture(self) -> None:
        """Capture a step as a CUDA graph, if on a GPU, and restore the state from before."""
        if self._stream is None:
            return
        changed = (
            *self._weights,
            *self._average,
            *self._momentum,
            *self._network.buffers(),
            self._step,
            self.loss,
        )
        before = [values.detach().clone() for values in changed]
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(3):
                self._learn()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream):
            self._learn()
        with torch.no_grad():
            for values, saved in zip(changed, before, strict=True):
                values.copy_(saved)
        torch.cuda.synchronize()
        self._graph = graph

    def learn(self) -> None:
        """Run one training step; on a GPU it is queued."""
        if self._graph is None:
            self._learn()
        else:
            with torch.cuda.stream(self._stream):
                self._graph.replay()

    def _learn(self) -> None:
        task, lesson = self.task, self._lesson
        chosen = self._order.index_select(0, self._step % self.steps)[0]
        emotion, seen = compute_logits(self._network, lesson.pixels[chosen])
        loss = (1 - task.teacher_weight) * functional.cross_entropy(emotion, lesson.labels[chosen])
        loss = loss + task.votes_weight * functional.cross_entropy(seen, lesson.votes[chosen])
        if task.teacher_weight:
            taught = functional.cross_entropy(emotion / TEMPERATURE, lesson.answers[chosen])
            loss = loss + task.teacher_weight * TEMPERATURE**2 * taught
        steps = list(torch.autograd.grad(loss, self._weights))
        with torch.no_grad():
            self._update(steps)
            self.loss += loss.detach()
            self._step += 1

    def _update(self, steps: list[torch.Tensor]) -> None:
        rate, kept = (values.index_select(0, self._step)[0] for values in (self._rates, self._kept))
        kernels = [self._weights[index] for index in self._kernels]
        torch._foreach_add_([steps[index] for index in self._kernels], kernels, alpha=self.task.decay)
        torch._foreach_mul_(self._momentum, MOMENTUM)
        torch._foreach_add_(self._momentum, steps)
        torch._foreach_add_(steps, self._momentum, alpha=MOMENTUM)
        torch._foreach_mul_(steps, rate)
        torch._foreach_sub_(self._weights, steps)
        torch._foreach_mul_(self._average, kept)
        torch._foreach_add_(self._average, torch._foreach_mul(self._weights, 1 - kept))

    @torch.no_grad()
    def averaged(self) -> nn.Module:
        """Return a network with the averaged weights, and batch-norm statistics from some original faces."""
        network = build(self.task.arch, self._lesson.classes, self._lesson.device)
        network.load_state_dict(self._network.state_dict())
        for weight, average in zip(network.parameters(), self._average, strict=True):
            weight.copy_(average)
        network.train()
        norms = [
            module for module in network.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
        ]
        order = torch.randperm(len(self._faces), generator=torch.Generator().manual_seed(7))
        order = self._faces[order.to(self._faces.device)]
        for index in range(STATISTICS_BATCHES):
            some = order[index * STATISTICS_BATCH : (index + 1) * STATISTICS_BATCH]
            if len(some) > 1:
                for norm in norms:
                    norm.momentum = 1 / (index + 1)  # a running mean
                compute_logits(network, self._lesson.faces[some])
        return network.eval()


def train_together(
    tasks: list[Task],
    lesson: Lesson,
    load: Callable[[int], None],
    report: Callable[[int, list[Member], float], None],
) -> list[nn.Module]:
    """Train networks for the same number of epochs; return them with averaged weights.

    ``load`` puts the views of an epoch into the lesson; ``report`` is called after each epoch with its seconds.
    """
    load(0)
    members = [Member(task, lesson) for task in tasks]
    for member in members:
        member.begin(0)
        member.capture()
    for epoch in range(tasks[0].epochs):
        began = time.perf_counter()
        load(epoch)
        for member in members:
            member.begin(epoch)
        _wait(lesson.device)
        for step in range(max(member.steps for member in members)):
            for member in members:
                if step < member.steps:
                    member.learn()
        _wait(lesson.device)
        report(epoch, members, time.perf_counter() - began)
    return [member.averaged() for member in members]


@torch.no_grad()
def ask(
    network: nn.Module, pixels: torch.Tensor, temperature: float = 1.0, mirror: bool = True
) -> torch.Tensor:
    """Predict probabilities (n, classes) for uint8 (n, 48, 48) faces.

    With ``mirror``, average the predictions for each face and its mirror image.
    """
    seen = [pixels, pixels.flip(2)] if mirror else [pixels]
    answers = [
        torch.cat([compute_logits(network, part)[0] for part in images.split(4096)]) for images in seen
    ]
    return torch.stack([(logits / temperature).softmax(1) for logits in answers]).mean(0)


def _schedule(task: Task, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the learning rate and the averaging decay of each step."""
    step = np.arange(task.epochs * steps, dtype=np.float64)
    warm_up = WARM_UP_EPOCHS * steps
    falling = 0.5 * (1 + np.cos(np.pi * (step - warm_up) / max(1, len(step) - warm_up)))
    rates = task.rate * np.where(step < warm_up, (step + 1) / warm_up, falling)
    return rates, np.minimum(AVERAGING, (2 + step) / (11 + step))


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
