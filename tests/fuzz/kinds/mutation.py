"""Strategies that damage valid input: bytes, JSON, lines of text."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

__all__ = ["damaged_bytes", "damaged_json", "damaged_text", "names", "odd_json"]

_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def damaged_bytes(content: bytes, most: int = 6) -> SearchStrategy[bytes]:
    """The content after some changes: bits, bytes, numbers, and parts removed, repeated, filled or truncated."""
    places = st.integers(0, max(0, len(content) - 1))
    change: SearchStrategy[Callable[[bytearray], None]] = st.one_of(
        st.builds(_flip, places, st.integers(0, 7)),
        st.builds(_put, places, st.binary(min_size=1, max_size=8)),
        st.builds(_put_number, places, st.sampled_from(_NUMBERS), st.sampled_from((2, 4, 8)), st.booleans()),
        st.builds(_leave_out, places, st.integers(1, 4096)),
        st.builds(_double, places, st.integers(1, 4096)),
        st.builds(_fill, places, st.integers(1, 4096), st.integers(0, 255)),
        st.builds(_insert, places, st.binary(min_size=1, max_size=64)),
        st.builds(_cut_off, places),
    )

    def apply(changes: list[Callable[[bytearray], None]]) -> bytes:
        damaged = bytearray(content)
        for one in changes:
            one(damaged)
        return bytes(damaged)

    return st.lists(change, min_size=1, max_size=most).map(apply)


def odd_json() -> SearchStrategy[Any]:
    """JSON values, including unusual ones."""
    leaves = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**20), 10**20),
        st.sampled_from([10**400, -1, 0, 1, 48, 2**31, 2**63, 1e308, -0.0]),
        st.floats(),
        st.text(max_size=12),
        st.sampled_from(["\ud800", "\x00", "a\nb", "é" * 300, "../x", "nan", "\u202e", ""]),
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
        max_leaves=8,
    )


def damaged_json(document: Any, most: int = 3) -> SearchStrategy[str]:
    """The document as text after some changes to its values and keys."""
    paths = list(_paths(document))
    change = st.tuples(
        st.sampled_from(paths), st.sampled_from(["replace", "remove", "rename", "wrap"]), odd_json()
    )

    def apply(changes: list[tuple[tuple[Any, ...], str, Any]]) -> str:
        damaged = {"": copy.deepcopy(document)}
        for path, how, value in changes:
            _change(damaged, ("", *path), how, value)
        return json.dumps(damaged.get(""))

    structured = st.lists(change, min_size=1, max_size=most).map(apply)
    text = json.dumps(document)
    return st.one_of(structured, structured, damaged_text(text), st.just("[" * 100_000), st.just("9" * 5000))


def damaged_text(text: str, most: int = 5) -> SearchStrategy[str]:
    """The text after some changes: characters, lines and fields replaced, removed or repeated."""
    places = st.integers(0, len(text))
    piece = st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            ["\n", "\r\n", '"', ",", "\x00", "\ufeff", ";", "\t", "NaN", "-1", "1e999", "\ud800", "x" * 5000]
        ),
    )

    def apply(changes: list[tuple[int, int, str]]) -> str:
        damaged = text
        for start, length, new in changes:
            damaged = damaged[:start] + new + damaged[start + length :]
        return damaged

    return st.lists(st.tuples(places, st.integers(0, 40), piece), min_size=1, max_size=most).map(apply)


def names() -> SearchStrategy[bytes]:
    """File and folder names of any bytes that Linux permits."""
    odd = [
        b"v\xff",
        "bébé".encode("latin-1"),
        "🙂".encode(),
        b"a b",
        b"-x",
        b"a:b",
        b"%d",
        b"x\ny",
        b"x" * 250,
    ]
    free = st.binary(min_size=1, max_size=20).map(lambda name: name.replace(b"/", b"_").replace(b"\0", b"_"))
    return (st.sampled_from(odd) | free).filter(lambda name: name not in (b".", b".."))


def _flip(place: int, bit: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        if place < len(content):
            content[place] ^= 1 << bit

    return change


def _put(place: int, new: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[place : place + len(new)] = new

    return change


def _put_number(place: int, number: int, size: int, big: bool) -> Callable[[bytearray], None]:
    return _put(place, (number % (1 << 8 * size)).to_bytes(size, "big" if big else "little"))


def _leave_out(place: int, length: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        del content[place : place + length]

    return change


def _double(place: int, length: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[place:place] = content[place : place + length]

    return change


def _fill(place: int, length: int, value: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        length_here = len(content[place : place + length])
        content[place : place + length_here] = bytes([value]) * length_here

    return change


def _insert(place: int, new: bytes) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        content[place:place] = new

    return change


def _cut_off(place: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        del content[place:]

    return change


def _paths(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(document, dict):
        for key, value in document.items():
            found += _paths(value, (*path, key))
    elif isinstance(document, list):
        for index, value in enumerate(document[:5]):
            found += _paths(value, (*path, index))
    return found


def _change(document: Any, path: tuple[Any, ...], how: str, value: Any) -> None:
    """Change the value at a path, unless an earlier change removed the path."""
    holder = document
    for key in path[:-1]:
        try:
            holder = holder[key]
        except (KeyError, IndexError, TypeError):
            return
    key = path[-1]
    is_there = (isinstance(holder, dict) and key in holder) or (
        isinstance(holder, list) and isinstance(key, int) and key < len(holder)
    )
    if not is_there:
        return
    if how == "remove":
        del holder[key]
    elif how == "rename" and isinstance(holder, dict):
        holder[str(value)[:50]] = holder.pop(key)
    elif how == "wrap":
        holder[key] = [holder[key], value]
    else:
        holder[key] = value
