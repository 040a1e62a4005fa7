"""Model specs for ``.tflite`` files from elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fer_convert.tflite.container import embed_spec, extract_network
from fer_convert.tflite.inspection import detect_variant
from fer_edge.classification.classifier import Classifier
from fer_edge.errors import ContractError, ModelError, OutputError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import ModelSpec, read_spec
from fer_edge.runtime.atomic_files import staged_file

__all__ = ["attach"]


def attach(path: Path, spec: ModelSpec, *, overwrite: bool = False) -> ModelFile:
    """Embed a model spec in a ``.tflite`` file after checking it against the file's tensors.

    The file is replaced atomically. Its variant is detected from its tensors, whatever the spec says.
    Raises ModelError when the file is not a TFLite model, ContractError when its tensors contradict the
    spec, OutputError when it already has a spec and ``overwrite`` is false.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}; name a .tflite file") from error
    if not overwrite and _has_spec(path):
        raise OutputError(f"{path}: it already carries a model spec; replace it with --overwrite")
    Classifier(ModelFile(path, spec, "", len(content))).close()
    network = extract_network(content)
    spec = spec.replace(
        variant=detect_variant(network),
        # Accuracy belongs to the file that it was measured on.
        accuracy={},
        provenance={**spec.provenance, "network_sha256": hashlib.sha256(network).hexdigest()},
    )
    with staged_file(path) as part:
        part.write_bytes(embed_spec(network, spec))
    return find_model(path)


def _has_spec(path: Path) -> bool:
    try:
        read_spec(path)
    except ContractError:
        return False
    return True
