"""The calibration inputs for TensorFlow's converter."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_convert.tflite.converter import make_calibration_inputs, stretch_to_full_range


def test_a_stretched_image_spans_all_gray_levels(drawn_faces: tuple[NDArray[np.uint8], Any, Any]) -> None:
    image = drawn_faces[0][-1] // 2 + 40
    result = stretch_to_full_range(image)
    assert (result.min(), result.max(), result.dtype) == (0, 255, np.uint8)
    assert (np.diff(result.ravel()[np.argsort(image.ravel())].astype(int)) >= 0).all(), "order is kept"


def test_only_the_first_calibration_image_is_stretched(
    drawn_faces: tuple[NDArray[np.uint8], Any, Any],
) -> None:
    image = (drawn_faces[0][-1] // 2 + 40)[..., None]
    (first,), (second,) = make_calibration_inputs([image, image])
    assert first.shape == (1, 48, 48, 1)
    assert (first.min(), first.max()) == (-2.0, 127 / 64)
    np.testing.assert_array_equal(second[0], (image.astype(np.float32) - 128) / 64)
