"""Giving a ``.tflite`` from elsewhere its contract, once its tensors have been held against it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fer_convert.tflite.container import network_of, variant_of, with_contract
from fer_edge.classification.classifier import Classifier
from fer_edge.errors import ContractError, ModelError, OutputError
from fer_edge.models.find_model import ModelFile, find_model
from fer_edge.models.spec import ModelSpec, read_spec
from fer_edge.runtime.atomic_files import staged_file

__all__ = ["attach"]


def attach(path: Path, spec: ModelSpec, *, overwrite: bool = False) -> ModelFile:
    """Put the spec into a ``.tflite``, in its place and at once; the file with its contract.

    The variant is what the tensors say. Raises ModelError when the file is no TFLite model, ContractError
    when its tensors contradict the spec, OutputError when it has a contract and ``overwrite`` is not given.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(
            f"{path}: expected a .tflite file, it cannot be read: {error.strerror or error}"
        ) from error
    if not overwrite and _has_contract(path):
        raise OutputError(f"{path}: it already carries a contract; replace it with --overwrite")
    Classifier(ModelFile(path, spec, "", len(content))).close()
    network = network_of(content)
    spec = spec.replace(
        variant=variant_of(network),
        # Measured figures belong to the file that they were measured on.
        accuracy={},
        provenance={**spec.provenance, "network_sha256": hashlib.sha256(network).hexdigest()},
    )
    with staged_file(path) as part:
        part.write_bytes(with_contract(network, spec))
    return find_model(path)


def _has_contract(path: Path) -> bool:
    try:
        read_spec(path)
    except ContractError:
        return False
    return True
