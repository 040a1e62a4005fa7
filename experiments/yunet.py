"""Choose YuNet's constants: the score threshold, recall by face size, and false detections in textures.

``FACES`` is a folder of images with one face each, such as ``real-faces``, including its subfolders. ``NOTHING`` is a
folder of images without faces; the tables use the images bundled with scikit-image 0.26, except its portraits.
Stones, leaves and noise are drawn in addition. Choose constants on other images than those reported.

    python -m experiments.yunet MODEL FACES NOTHING
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.detectors.yunet import least_score
from fer_edge.detectors.yunet_network import YuNetNetwork, read_network

Image = NDArray[np.uint8]
Rows = NDArray[np.float32]
Rule = Callable[[Rows], NDArray[np.bool_]]

TILTS = (0, 15, 30, 45)  # degrees, in both directions
SIZES = (16, 20, 24, 28, 32, 40, 50, 64, 80)  # widths of a face, in pixels
WIDTH, HEIGHT = 1280, 720


def fixed(score: float) -> Rule:
    """Return the rule that accepts boxes from one score on, whatever their size."""
    return lambda rows: rows[:, 14] >= score


RULES: dict[str, Rule] = {
    **{f"{score}": fixed(score) for score in (0.5, 0.6, 0.7, 0.8)},
    "by width": lambda rows: rows[:, 14] >= least_score(rows[:, 2]),
}


def read_images(folder: Path) -> Iterator[Image]:
    """Yield every readable image of a folder and its subfolders, as uint8 (height, width, 3) BGR."""
    for path in sorted(folder.rglob("*")):
        image = cv2.imread(str(path)) if path.is_file() else None
        if image is not None:
            yield np.asarray(image, np.uint8)


def turn(image: Image, degrees: float) -> tuple[Image, NDArray[np.float64]]:
    """Rotate an image about its center; return it with the transformation matrix (2, 3).

    If rotated, it is also shrunk to three quarters, with its border pixels repeated.
    """
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 0.75 if degrees else 1.0)
    turned = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(turned, np.uint8), np.asarray(matrix, np.float64)


def near(rows: Rows, center: Sequence[float], width: float) -> NDArray[np.bool_]:
    """Return a mask, bool (n,), of the boxes centered within about ``width`` / 3 of ``center``."""
    across = np.abs(rows[:, 0] + rows[:, 2] / 2 - center[0])
    down = np.abs(rows[:, 1] + rows[:, 3] / 2 - center[1])
    return np.asarray((across < 0.35 * width) & (down < 0.35 * width), np.bool_)


def best(rows: Rows) -> NDArray[np.float32]:
    """Return the row with the highest score."""
    return np.asarray(rows[rows[:, 14].argmax()], np.float32)


def compare_tilts(network: YuNetNetwork, images: Sequence[Image]) -> None:
    """Print the share of faces that each rule finds at each tilt, and the number of other boxes."""
    print("| rule | " + " | ".join(f"{tilt}°" for tilt in TILTS) + " | other boxes |")
    found = {rule: dict.fromkeys(TILTS, 0) for rule in RULES}
    others, looked = dict.fromkeys(RULES, 0), dict.fromkeys(TILTS, 0)
    for image in images:
        upright = network.detect(image)
        if not len(upright):
            continue
        face = best(upright)
        place = [face[0] + face[2] / 2, face[1] + face[3] / 2, 1.0]
        for tilt in TILTS:
            for degrees in {tilt, -tilt}:
                turned, matrix = turn(image, degrees)
                rows = network.detect(turned)
                same = near(rows, matrix @ place, face[2] * (0.75 if tilt else 1.0))
                looked[tilt] += 1
                for name, rule in RULES.items():
                    found[name][tilt] += bool((rule(rows) & same).any())
                    others[name] += int((rule(rows) & ~same).sum())
    for name, counts in found.items():
        shares = " | ".join(f"{counts[tilt] / looked[tilt]:.1%}" for tilt in TILTS)
        print(f"| {name} | {shares} | {others[name]} |")


def compare_sizes(network: YuNetNetwork, images: Sequence[Image], grounds: Sequence[Image]) -> None:
    """Print the share of faces that each rule finds by face width, with 15 faces in each of 12 scenes."""
    print("| rule | " + " | ".join(map(str, SIZES)) + " |")
    rng = np.random.default_rng(1)
    large = [(image, best(rows)) for image in images if len(rows := network.detect(image))]
    large = [(image, face) for image, face in large if face[14] > 0.85 and min(image.shape[:2]) >= 250]
    shares: dict[str, list[float]] = {rule: [] for rule in RULES}
    for size in SIZES:
        hits = dict.fromkeys(RULES, 0)
        for number in range(12):
            scene = cv2.resize(grounds[number % len(grounds)], (WIDTH, HEIGHT))
            places = [
                put(scene, *large[rng.integers(len(large))], size, 30 + 245 * x, 20 + 235 * y)
                for x in range(5)
                for y in range(3)
            ]
            coded = cv2.imencode(".jpg", scene, [cv2.IMWRITE_JPEG_QUALITY, 85])[1]
            rows = network.detect(np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8))
            for name, rule in RULES.items():
                hits[name] += sum(bool((rule(rows) & near(rows, place, size)).any()) for place in places)
        for name, count in hits.items():
            shares[name].append(count / (12 * 15))
    for name, values in shares.items():
        print(f"| {name} | " + " | ".join(f"{value:.0%}" for value in values) + " |")


def put(
    scene: Image, image: Image, face: NDArray[np.float32], size: int, x: int, y: int
) -> tuple[float, float]:
    """Draw an image into a scene so that its face is ``size`` pixels wide; return the face's center."""
    scale = size / float(face[2])
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    room = scene[y : y + small.shape[0], x : x + small.shape[1]]
    room[:] = small[: room.shape[0], : room.shape[1]]
    return x + (face[0] + face[2] / 2) * scale, y + (face[1] + face[3] / 2) * scale


def compare_wrong_boxes(network: YuNetNetwork, kinds: dict[str, list[Image]]) -> None:
    """Print the number of false boxes under each rule in images without faces."""
    print("| images | " + " | ".join(RULES) + " | widths at a score of 0.4 or more: least, median, most |")
    for kind, images in kinds.items():
        rows = np.concatenate([network.detect(image) for image in images])
        counts = " | ".join(str(int(rule(rows).sum())) for rule in RULES.values())
        widths = (
            " ".join(f"{width:.0f}" for width in np.percentile(rows[:, 2], (0, 50, 100))) if len(rows) else ""
        )
        print(f"| {kind}, {len(images)} | {counts} | {widths} |")


def draw_stones(rng: np.random.Generator, size: int) -> Image:
    """Draw rows of rough paving stones that vary in gray level and size."""
    scene = np.full((HEIGHT, WIDTH), 60, np.float32)
    y = 0
    while y < HEIGHT:
        height, x = int(size * rng.uniform(0.75, 1.25)), -int(rng.uniform(0, size))
        while x < WIDTH:
            width = int(size * rng.uniform(0.75, 1.4))
            corners = np.array([[2, 2], [width - 3, 2], [width - 3, height - 3], [2, height - 3]])
            corners = corners + np.array([x, y]) + rng.integers(-3, 4, (4, 2))
            cv2.fillConvexPoly(scene, corners.astype(np.int32), float(rng.uniform(90, 190)))
            x += width
        y += height
    rough = cv2.GaussianBlur(rng.normal(0, 60, scene.shape), (0, 0), 2) + rng.normal(0, 12, scene.shape)
    return to_image(cv2.GaussianBlur(scene, (0, 0), 1.2) + rough)


def draw_cobbles(rng: np.random.Generator, size: int) -> Image:
    """Draw round stones lit from above, with dark joints."""
    scene = np.full((HEIGHT, WIDTH), 40, np.float32)
    for row, y in enumerate(range(0, HEIGHT + size, size)):
        for x in range(row % 2 * size // 2, WIDTH + size, size):
            center = (x + int(rng.uniform(-0.15, 0.15) * size), y + int(rng.uniform(-0.15, 0.15) * size))
            gray, radius = rng.uniform(80, 170), 0.5 * size
            for part in np.linspace(1.0, 0.3, 5):
                light = (center[0], center[1] - int((1 - part) * 0.3 * size))
                cv2.circle(scene, light, max(1, int(radius * part)), float(gray + 60 * (1 - part)), -1)
    return to_image(cv2.GaussianBlur(scene, (0, 0), 1.0) + rng.normal(0, 8, scene.shape))


def draw_leaves(rng: np.random.Generator, largest: int) -> Image:
    """Draw overlapping ellipses, a few large and many small ones, like leaves and clutter."""
    scene = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    for _ in range(int(8 * HEIGHT * WIDTH / (math.pi * 3 * largest))):
        radius = 1 / math.sqrt(rng.uniform(1 / largest**2, 1 / 9))
        center = (int(rng.uniform(0, WIDTH)), int(rng.uniform(0, HEIGHT)))
        axes = (int(radius) + 1, int(radius * rng.uniform(0.3, 1)) + 1)
        color = (rng.uniform(30, 220) + rng.normal(0, 18, 3)).tolist()
        cv2.ellipse(scene, center, axes, rng.uniform(0, 180), 0, 360, color, -1)
    rough = cv2.GaussianBlur(rng.normal(0, 40, (HEIGHT, WIDTH)), (0, 0), 1.2)
    return to_image(cv2.GaussianBlur(scene, (0, 0), 0.7) + rough[..., None])


def draw_noise(rng: np.random.Generator, exponent: float) -> Image:
    """Draw noise whose amplitude is proportional to 1 / frequency**exponent."""
    frequency = np.hypot(np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH)[None])
    frequency[0, 0] = 1
    noise = np.real(np.fft.ifft2(np.fft.fft2(rng.normal(size=(HEIGHT, WIDTH))) / frequency**exponent))
    return to_image(128 + 50 * (noise - noise.mean()) / noise.std())


def to_image(scene: NDArray[np.floating]) -> Image:
    """Clip a gray or color scene to 0…255; return it as uint8 (height, width, 3)."""
    clipped = np.clip(scene, 0, 255).astype(np.uint8)
    return clipped if clipped.ndim == 3 else np.asarray(cv2.cvtColor(clipped, cv2.COLOR_GRAY2BGR), np.uint8)


def draw_all(draw: Callable[[np.random.Generator, int], Image], values: Sequence[int]) -> list[Image]:
    """Draw three images for each value."""
    return [draw(np.random.default_rng(seed), value) for value in values for seed in range(3)]


def main() -> None:
    """Print the three tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path)
    parser.add_argument("faces", type=Path)
    parser.add_argument("nothing", type=Path)
    options = parser.parse_args()
    network, nothing = read_network(options.model), list(read_images(options.nothing))
    kinds = {
        "photographs and textures": nothing,
        "the same, half as large": [
            cv2.resize(i, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for i in nothing
        ],
        "the same, twice as large": [cv2.resize(image, None, fx=2, fy=2) for image in nothing],
        "drawn paving stones": draw_all(draw_stones, (16, 28, 48, 80)),
        "drawn cobbles": draw_all(draw_cobbles, (14, 24, 40, 70, 120)),
        "drawn leaves": draw_all(draw_leaves, (12, 30, 80)),
        "noise": [draw_noise(np.random.default_rng(0), exponent) for exponent in (0.0, 0.5, 1.0, 1.3)],
    }
    compare_wrong_boxes(network, kinds)
    faces = list(read_images(options.faces))
    compare_sizes(network, faces, nothing[:6])
    compare_tilts(network, faces)


if __name__ == "__main__":
    main()
