"""All kinds of fuzzed input, by name."""

from __future__ import annotations

from typing import Final

from tests.fuzz.case import Kind
from tests.fuzz.kinds.media import MEDIA
from tests.fuzz.kinds.models import MODELS
from tests.fuzz.kinds.network import NETWORK
from tests.fuzz.kinds.outputs import OUTPUTS
from tests.fuzz.kinds.results import RESULTS
from tests.fuzz.kinds.texts import TEXTS
from tests.fuzz.kinds.training import TRAINING

__all__ = ["KINDS"]

KINDS: Final[dict[str, Kind]] = {**TEXTS, **MEDIA, **NETWORK, **OUTPUTS, **MODELS, **TRAINING, **RESULTS}
