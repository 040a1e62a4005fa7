"""Registry of the training objectives.

Another package can add an objective through an entry point in the group ``fer_train.objectives`` that names a
:data:`~fer_train.objectives.base.BuildObjective`; ``fer-train fit --objective NAME`` trains with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fer_edge.runtime.registry import Registry
from fer_train.objectives.base import BuildObjective, Objective, ObjectiveRequest

__all__ = ["OBJECTIVES", "build_objectives"]

OBJECTIVES: Final[Registry[BuildObjective]] = Registry(
    "objective",
    "fer_train.objectives",
    {
        "labels": "fer_train.objectives.labels:build_labels",
        "votes": "fer_train.objectives.votes:build_votes",
        "distillation": "fer_train.objectives.distillation:build_distillation",
        "view-distillation": "fer_train.objectives.view_distillation:build_view_distillation",
    },
)


def build_objectives(request: ObjectiveRequest, names: Sequence[str] = ()) -> list[Objective]:
    """Build the objectives that a request implies, and those in ``names``.

    The labels come first. Votes are used if there are any and the recipe gives them a weight; view answers or teachers
    are used if there are any. Raises UsageError for an unknown name, and the errors of the objectives.
    """
    chosen = ["labels"]
    if request.votes is not None and request.votes_weight:
        chosen.append("votes")
    if request.view_answers is not None:
        chosen.append("view-distillation")
    elif request.teachers:
        chosen.append("distillation")
    chosen += [name for name in dict.fromkeys(names) if name not in chosen]
    return [OBJECTIVES.load(name)(request) for name in chosen]
