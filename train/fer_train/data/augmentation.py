"""Random augmentation of training faces with NumPy and OpenCV.

It is fast, and the same on every Keras backend. All random numbers come from the generator passed in, so that a batch
depends only on (seed, epoch, step) and a resumed run gets the same batches as an uninterrupted one.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Augmentation", "augment"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """Limits of the random changes to a training face.

    ``rotation`` is in degrees in either direction, ``shift`` a fraction of the side, ``scale`` and ``contrast``
    fractions around 1, ``brightness`` gray levels in either direction. ``erase`` is the probability that a rectangle
    of 2 to 20 % of the area is replaced by noise (random erasing, Zhong et al. 2017).
    """

    flip: bool = True
    rotation: float = 0.0
    shift: float = 0.0
    scale: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    erase: float = 0.0

    def halved(self) -> Augmentation:
        """Return the augmentation with half the strength and without erasing."""
        half = {
            name: getattr(self, name) / 2 for name in ("rotation", "shift", "scale", "contrast", "brightness")
        }
        return Augmentation(flip=self.flip, **half)


def augment(pixels: NDArray[np.uint8], settings: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return augmented copies of faces, uint8 (batch, height, width).

    Gaps are filled by repeating the edge.
    """
    out = np.empty_like(pixels)
    for index, face in enumerate(pixels):
        out[index] = _augment_one(face, settings, rng)
    return out


def _augment_one(
    face: NDArray[np.uint8], settings: Augmentation, rng: np.random.Generator
) -> NDArray[np.uint8]:
    height, width = face.shape
    if settings.rotation or settings.shift or settings.scale:
        angle = rng.uniform(-settings.rotation, settings.rotation)
        scale = 1 + rng.uniform(-settings.scale, settings.scale)
        matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle, scale)
        matrix[:, 2] += rng.uniform(-settings.shift, settings.shift, 2) * np.array([width, height])
        if settings.flip and rng.random() < 0.5:
            # Mirror first (x -> width - 1 - x), within the same interpolation.
            matrix[:, 2] += matrix[:, 0] * (width - 1)
            matrix[:, 0] = -matrix[:, 0]
        face = np.asarray(
            cv2.warpAffine(
                face, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ),
            np.uint8,
        )
    elif settings.flip and rng.random() < 0.5:
        face = face[:, ::-1]
    if settings.contrast or settings.brightness:
        gain = 1 + rng.uniform(-settings.contrast, settings.contrast)
        offset = rng.uniform(-settings.brightness, settings.brightness) + 128 * (1 - gain)
        table = np.clip(np.arange(256) * gain + offset, 0, 255).astype(np.uint8)
        face = table[face]
    if settings.erase and rng.random() < settings.erase:
        face = _erase(face, rng)
    return face


def _erase(face: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    height, width = face.shape
    area = rng.uniform(0.02, 0.2) * height * width
    aspect = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3)))
    patch_h = int(min(height, max(1, round(np.sqrt(area * aspect)))))
    patch_w = int(min(width, max(1, round(np.sqrt(area / aspect)))))
    top, left = rng.integers(0, height - patch_h + 1), rng.integers(0, width - patch_w + 1)
    face = face.copy()
    face[top : top + patch_h, left : left + patch_w] = rng.integers(0, 256, (patch_h, patch_w), np.uint8)
    return face
