"""Embedding of model specs in third-party ``.tflite`` files."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fer_convert.tflite.container import embed_spec, extract_network, read_appended_files
from fer_convert.tflite.existing_metadata import ExistingMetadata, read_existing_metadata
from fer_convert.tflite.inspection import detect_variant
from fer_convert.tflite.leading_layers import check_leading_layers
from fer_convert.tflite.probe import probe_network
from fer_edge.classification.classifier import Classifier
from fer_edge.classification.input_range import describe_mismatch, is_own_range
from fer_edge.errors import ContractError, ModelError, OutputError, reason_of
from fer_edge.models.file_kind import check_tflite
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import SPEC_FILE, ModelSpec
from fer_edge.runtime.atomic_files import staged_file

__all__ = ["Attachment", "attach"]

_LOGGER = logging.getLogger(__name__)
_REPLACE_HINT: Final = "replace it with --overwrite"


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file with an embedded model spec.

    ``changed`` is False if it already had the same spec. ``range_known`` is True if the metadata or the quantized input
    of the file states that its input is (pixel - 128) / 64.
    """

    model: ModelFile
    changed: bool
    range_known: bool


def attach(path: Path, spec: ModelSpec, *, overwrite: bool = False) -> Attachment:
    """Check a model spec against a ``.tflite`` file and embed it.

    The tensors of the file, its predictions for probe images, and its metadata are compared with the spec. The file is
    replaced atomically, and does not change if it already has the same spec. Its variant is detected from its tensors,
    regardless of the spec. The name, author and license in its metadata are kept in the provenance, and other appended
    files are kept. ``overwrite`` replaces a different spec, and labels or a normalization in the metadata that
    contradict the spec. Suspicious findings are logged as warnings.

    Raises ModelError if the file is not a TFLite model or its outputs are not probabilities, ContractError if its
    tensors or metadata contradict the spec, OutputError if it has a different spec.
    """
    check_tflite(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: cannot read the file: {error.strerror or error}; specify a .tflite file"
        ) from error
    with Classifier(ModelFile(path, spec, "", len(content))) as classifier:
        suspicions = probe_network(classifier)
    network = extract_network(content)
    try:
        check_leading_layers(network)
        files = read_appended_files(content)
        existing = read_existing_metadata(content, network)
        if not overwrite:
            if SPEC_FILE in files and _is_same_spec(files[SPEC_FILE], spec):
                return Attachment(find_model(path), changed=False, range_known=True)
            _compare_metadata(existing, spec)
        attached = embed_spec(network, _complete_spec(spec, network, existing), files)
    except (ContractError, OutputError) as error:
        raise type(error)(f"{path}: {error}", hint=error.hint) from error
    for suspicion in suspicions:
        _LOGGER.warning("%s: %s", path, suspicion)
    with staged_file(path) as part:
        part.write_bytes(attached)
    model = find_model(path)
    return Attachment(model, changed=True, range_known=bool(existing.mean) or model.spec.variant == "int8")


def _complete_spec(spec: ModelSpec, network: bytes, existing: ExistingMetadata) -> ModelSpec:
    provenance = {**spec.provenance, "network_sha256": hashlib.sha256(network).hexdigest()}
    if existing.texts and not existing.written_by_fer_convert:
        provenance["file_metadata"] = dict(existing.texts)
    # The accuracy in the spec was measured with another file.
    return spec.replace(variant=detect_variant(network), accuracy={}, provenance=provenance)


def _is_same_spec(carried: bytes, spec: ModelSpec) -> bool:
    """Return True if an embedded spec is the same; raises OutputError if it differs."""
    try:
        found = ModelSpec.from_json(carried)
    except ContractError as error:
        raise OutputError(
            f"the file already has a model spec, which cannot be read ({error})", hint=_REPLACE_HINT
        ) from error
    fields = ("name", "labels", "width", "height", "color", "interpolation", "crop")
    different = [name for name in fields if getattr(found, name) != getattr(spec, name)]
    if not different:
        return True
    shown = "; ".join(
        f"{name} {_format_value(getattr(found, name))} instead of {_format_value(getattr(spec, name))}"
        for name in different
    )
    raise OutputError(f"the file already has a different model spec, with {shown}", hint=_REPLACE_HINT)


def _compare_metadata(existing: ExistingMetadata, spec: ModelSpec) -> None:
    """Raise ContractError if the metadata of the file contradicts the spec."""
    if existing.mean and existing.std and not is_own_range(existing.mean, existing.std):
        raise ContractError(f"according to its metadata, it {_describe_normalization(existing)}")
    lists = existing.labels
    if not lists or any(
        _casefold_labels(labels) == _casefold_labels(spec.labels) for labels in lists.values()
    ):
        return
    name, labels = next(iter(lists.items()))
    problem = (
        "in a different order than"
        if sorted(_casefold_labels(labels)) == sorted(_casefold_labels(spec.labels))
        else "that differ from"
    )
    raise ContractError(
        f"{name} in the file lists labels {problem} those of the spec: {_format_value(labels)} instead of "
        f"{_format_value(spec.labels)}; write the labels of the file into the spec, in this order",
        hint=f"or if the file is wrong, {_REPLACE_HINT}",
    )


def _describe_normalization(existing: ExistingMetadata) -> str:
    count = max(len(existing.mean), len(existing.std))
    means, stds = (values * count if len(values) == 1 else values for values in (existing.mean, existing.std))
    if len(means) != len(stds) or not all(stds):
        return (
            f"is normalized with the mean {_format_value(means)} and the standard deviation {_format_value(stds)}, "
            "which is invalid"
        )
    return describe_mismatch(means, stds)


def _casefold_labels(labels: tuple[str, ...]) -> list[str]:
    return [label.casefold().strip() for label in labels]


def _format_value(value: object) -> str:
    """Format a value for a message, shortened if it is long."""
    return f"({reason_of(', '.join(map(str, value)))})" if isinstance(value, tuple) else reason_of(value)
