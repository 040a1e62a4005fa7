"""Interpretation of the names and numbers of emotions in folders and tables."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fer_edge.errors import ContractError, DataError
from fer_edge.models.spec import FER2013_LABELS, ModelSpec

__all__ = ["CONTEMPT", "FER2013_NUMBERS", "LabelNames", "canonicalize_label", "resolve_label_folders"]

CONTEMPT: Final = "contempt"
"""The additional emotion of CK+ and FER+, which has the number 7 in ``ckextended.csv``."""
FER2013_NUMBERS: Final = ", ".join(f"{number} {name}" for number, name in enumerate(FER2013_LABELS))
"""The meaning of FER-2013's numbers, for messages."""

_SYNONYMS: Final = {
    "anger": "angry",
    "disgusted": "disgust",
    "disgusting": "disgust",
    "fearful": "fear",
    "fearfull": "fear",
    "scared": "fear",
    "afraid": "fear",
    "happiness": "happy",
    "joy": "happy",
    "sadness": "sad",
    "surprised": "surprise",
    "suprise": "surprise",
    "suprised": "surprise",
    "neutrality": "neutral",
}
_EMOTIONS: Final = frozenset({*FER2013_LABELS, CONTEMPT})
_NUMBERED: Final = re.compile(r"\d+[\s_.-]*(?P<after>\D.*)|(?P<before>.*[^\d\s_.-])[\s_.-]*\d+")


@dataclass(frozen=True, slots=True)
class LabelNames:
    """The labels of a data set in folders.

    ``label_of`` maps each folder name to its label; ``names`` are the labels in their order; ``assumptions`` are
    messages about how the names were interpreted.
    """

    label_of: Mapping[str, str]
    names: tuple[str, ...]
    assumptions: tuple[str, ...]


def canonicalize_label(name: str) -> str:
    """Return FER-2013's name for a synonym such as ``Fearful``.

    Returns other names unchanged.
    """
    plain = name.strip().lower()
    for form in (plain, plain.removesuffix("s")):
        known = _SYNONYMS.get(form, form)
        if known in FER2013_LABELS:
            return known
    return name


def resolve_label_folders(root: str, folders: Sequence[tuple[str, str]]) -> LabelNames:
    """Determine the labels of folders.

    ``folders`` are pairs of a split and a folder name, in order. The labels are FER-2013's labels, in its order, if the
    folders are its seven emotions (in any case, as a synonym, or with a number in front or behind) or are numbered 0 to
    6. Otherwise they are 2 to 100 labels in alphabetical order, each spelled as in its first folder.

    Raises DataError for numbers with an unclear meaning, for two folders of a split with the same label, and for names
    that cannot be a model's labels. ``root`` names the data set in messages.
    """
    names = list(dict.fromkeys(name for _, name in folders))
    assumptions: list[str] = []
    if any(name.strip().isdecimal() for name in names):
        _refuse_unknown_numbers(root, names)
        label_of = {name: FER2013_LABELS[int(name)] for name in names}
        assumptions.append(f"interpreting label folders as FER-2013's numbers: {FER2013_NUMBERS}")
    else:
        label_of = _match_names(names)
        renamed = [f"{name} as {label}" for name, label in label_of.items() if name.lower() != label.lower()]
        if renamed:
            assumptions.append(f"interpreting label folders: {', '.join(renamed)}")
    _refuse_doubles(root, [(split, label_of[name]) for split, name in folders], folders)
    labels = set(label_of.values())
    ordered = FER2013_LABELS if labels == set(FER2013_LABELS) else tuple(sorted(labels))
    _check_labels(root, ordered)
    return LabelNames(label_of, ordered, tuple(assumptions))


def _match_names(names: Sequence[str]) -> dict[str, str]:
    """Return the label of each name; names with the same meaning get the same label."""
    plain = dict(zip(names, _strip_numbers(names), strict=True))
    canonical = {name: canonicalize_label(text) for name, text in plain.items()}
    if set(canonical.values()) == set(FER2013_LABELS):
        return canonical
    is_all_emotions = all(_is_emotion(text) for text in plain.values())
    spelling: dict[str, str] = {}
    label_of = {}
    for name, text in plain.items():
        key = canonicalize_label(text) if is_all_emotions else text
        # A name copied from a Mac may have its accents as separate characters.
        label_of[name] = spelling.setdefault(unicodedata.normalize("NFC", key).casefold(), text)
    return label_of


def _strip_numbers(names: Sequence[str]) -> list[str]:
    """Remove numbers in front of or behind the names if this leaves only emotions."""
    matches = [_NUMBERED.fullmatch(name.strip()) for name in names]
    stripped = [match["after"] or match["before"] for match in matches if match]
    if len(stripped) == len(names) and all(map(_is_emotion, stripped)):
        return stripped
    return list(names)


def _is_emotion(name: str) -> bool:
    return canonicalize_label(name).strip().lower() in _EMOTIONS


def _refuse_unknown_numbers(root: str, names: Iterable[str]) -> None:
    numbers = {int(name) for name in names if name.strip().isdecimal()}
    others = [name for name in names if not name.strip().isdecimal()]
    if not others and numbers == set(range(len(FER2013_LABELS))):
        return
    found = ", ".join([*map(str, sorted(numbers)), *others][:12])
    contempt = f" (in ckextended.csv, 7 is {CONTEMPT})" if 7 in numbers and 0 in numbers else ""
    raise DataError(
        f"{root}: the labels of the numbered folders are unclear: {found}{contempt}; rename them to their labels, "
        f"such as happy; FER-2013's numbers are only recognized if all of 0 to 6 exist ({FER2013_NUMBERS})"
    )


def _refuse_doubles(
    root: str, labeled: Sequence[tuple[str, str]], folders: Sequence[tuple[str, str]]
) -> None:
    for (split, label), count in Counter(labeled).items():
        if count > 1:
            same = [name for (_, name), pair in zip(folders, labeled, strict=True) if pair == (split, label)]
            raise DataError(
                f"{root}: the folders {' and '.join(same)} of {split} have the same label, {label}; "
                "merge or rename them"
            )


def _check_labels(root: str, labels: tuple[str, ...]) -> None:
    try:
        ModelSpec(name="labels", labels=labels)
    except ContractError as error:
        # The model spec has the same requirements and phrases the reason.
        raise DataError(
            f"{root}: the folder names cannot be used as a model's labels: "
            f"{str(error).partition(' is invalid: ')[2] or error}"
        ) from error
