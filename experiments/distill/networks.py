"""The networks of ``fer_train.models`` in plain PyTorch, with an auxiliary head for FER+ votes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fer_edge.classification.preprocess import PIXEL_MEAN, PIXEL_SCALE
from fer_train.data.ferplus import FERPLUS_LABELS

NORM_EPSILON = 1e-3  # the Keras default, so that weights can be copied
RESNETS = {
    "mini-resnet": (24, 32, 1, 0.3),
    "deep-resnet": (32, 64, 2, 0.4),
    "wide-resnet": (48, 96, 2, 0.4),
}
"""Filters of the stem, filters of the first stage, convolutions per residual branch, dropout.

``wide-resnet`` is only used as a teacher.
"""
ARCHITECTURES = (*RESNETS, "bn-cnn")
STAGES = 4

Logits = tuple[torch.Tensor, torch.Tensor]


class ResNet(nn.Module):
    """A network of ``fer_train.models.residual`` with label and vote logits, both float32."""

    def __init__(self, arch: str, labels: int) -> None:
        super().__init__()
        filters, width, depth, dropout = RESNETS[arch]
        self.stem = _conv_bn(1, filters)
        self.convs, self.branches = nn.ModuleList(), nn.ModuleList()
        for stage in range(STAGES):
            inputs, filters = filters, width * 2**stage
            self.convs.append(_conv_bn(inputs, filters))
            self.branches.append(nn.ModuleList(_conv_bn(filters, filters) for _ in range(depth)))
        self.dropout = nn.Dropout(dropout)
        self.logits, self.votes = nn.Linear(filters, labels), nn.Linear(filters, len(FERPLUS_LABELS))

    def forward(self, x: torch.Tensor) -> Logits:
        """Return the logits of float32 (batch, 1, 48, 48) images."""
        x = functional.relu(self.stem(x))
        for conv, branch in zip(self.convs, self.branches, strict=True):
            x = functional.relu(conv(functional.max_pool2d(x, 2)))
            residual = branch[0](x)
            for inner in branch[1:]:
                residual = inner(functional.relu(residual))
            x = functional.relu(x + residual)
        with torch.autocast(x.device.type, enabled=False):
            features = self.dropout(x.float().mean((2, 3)))
            return self.logits(features), self.votes(features)


class BnCnn(nn.Module):
    """The network of ``fer_train.models.bn_cnn``, with the same outputs as :class:`ResNet`."""

    def __init__(self, labels: int) -> None:
        super().__init__()
        kernels = ((1, 64, 5), (64, 64, 5), (64, 128, 4))
        self.convs = nn.ModuleList(nn.Conv2d(inputs, outputs, side) for inputs, outputs, side in kernels)
        self.norms = nn.ModuleList(nn.BatchNorm2d(outputs, eps=NORM_EPSILON) for _, outputs, _ in kernels)
        self.dropout = nn.Dropout(0.2)
        self.hidden, self.hidden_bn = nn.Linear(4608, 3072), nn.BatchNorm1d(3072, eps=NORM_EPSILON)
        self.logits, self.votes = nn.Linear(3072, labels), nn.Linear(3072, len(FERPLUS_LABELS))
        for layer in (*self.convs, self.hidden, self.logits, self.votes):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> Logits:
        """Return the logits of float32 (batch, 1, 48, 48) images."""
        with torch.autocast(x.device.type, enabled=False):
            x = x.float() - x.float().mean((1, 2, 3), keepdim=True)
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            x = norm(functional.relu(conv(x)))
            if index < 2:  # Keras pads on the right and at the bottom
                x = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=-1e4), 3, 2)
        x = self.dropout(x.permute(0, 2, 3, 1).flatten(1))
        x = self.hidden_bn(functional.relu(self.hidden(x)))
        with torch.autocast(x.device.type, enabled=False):
            return self.logits(x.float()), self.votes(x.float())


def build(arch: str, labels: int, device: torch.device) -> nn.Module:
    """Build a network of the given architecture on ``device``."""
    network: nn.Module = BnCnn(labels) if arch == "bn-cnn" else ResNet(arch, labels)
    return network.to(device, memory_format=torch.channels_last)


def compute_logits(network: nn.Module, pixels: torch.Tensor) -> Logits:
    """Compute the logits of uint8 (batch, 48, 48) faces on the network's device, in bfloat16 on a GPU."""
    images = ((pixels.float() - PIXEL_MEAN) / PIXEL_SCALE)[:, None]
    images = images.contiguous(memory_format=torch.channels_last)
    device = pixels.device.type
    with torch.autocast(device, torch.bfloat16, enabled=device == "cuda", cache_enabled=False):
        result: Logits = network(images)
    return result


def copy_into_keras(network: nn.Module, model: Any) -> None:
    """Copy the weights, except the vote head, into the Keras network of the same architecture."""
    if isinstance(network, ResNet):
        for name, (convolution, norm) in _list_convolutions(network).items():
            model.get_layer(name).set_weights([_to_keras(convolution.weight)])
            model.get_layer(f"{name}_bn").set_weights(_norm_weights(norm))
    elif isinstance(network, BnCnn):
        for index, (conv, norm) in enumerate(zip(network.convs, network.norms, strict=True), 1):
            model.get_layer(f"conv{index}").set_weights([_to_keras(conv.weight), _array(conv.bias)])
            model.get_layer(f"conv{index}_bn").set_weights(_norm_weights(norm))
        hidden = network.hidden
        model.get_layer("hidden").set_weights([_array(hidden.weight).T, _array(hidden.bias)])
        model.get_layer("hidden_bn").set_weights(_norm_weights(network.hidden_bn))
    head = network.logits
    model.get_layer("logits").set_weights([_array(head.weight).T, _array(head.bias)])


def _conv_bn(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs, eps=NORM_EPSILON))


def _list_convolutions(network: ResNet) -> dict[str, nn.Sequential]:
    """Map Keras layer names to convolutions with their batch norm."""
    parts = {"stem": network.stem}
    for index, (conv, branch) in enumerate(zip(network.convs, network.branches, strict=True), 1):
        parts[f"stage{index}_conv"] = conv
        *inners, last = branch
        parts |= {f"stage{index}_inner{number}": inner for number, inner in enumerate(inners, 1)}
        parts[f"stage{index}_residual"] = last
    return parts


def _norm_weights(norm: Any) -> list[np.ndarray]:
    return [_array(value) for value in (norm.weight, norm.bias, norm.running_mean, norm.running_var)]


def _to_keras(kernel: torch.Tensor) -> np.ndarray:
    return _array(kernel.permute(2, 3, 1, 0))


def _array(values: torch.Tensor) -> np.ndarray:
    result: np.ndarray = values.detach().float().cpu().numpy()
    return result
