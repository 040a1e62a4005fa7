"""Named implementations that are imported when they are used, and can be added to from outside."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar, cast

from fer_edge.errors import PluginError, UsageError

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Implementations of one kind by name: built-in ones, then those of other installed packages.

    ``kind`` is what people call one of them, such as ``detector``. ``entries`` maps each built-in name to
    ``"module:attribute"``. Other packages add theirs in the entry-point group ``group``, a line in their
    ``pyproject.toml``; a built-in name cannot be replaced.
    """

    def __init__(self, kind: str, group: str, entries: Mapping[str, str]) -> None:
        self.kind, self.group = kind, group
        self._entries = dict(entries)

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        # Reading what every installed package declares takes some 10 ms: not before it is needed.
        found = {entry.name: entry for entry in entry_points(group=self.group)}
        return {name: found[name] for name in sorted(found) if name not in self._entries}

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, the built-in ones first."""
        return (*self._entries, *self._plugins)

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._plugins

    def load(self, name: str) -> T:
        """Import the implementation of that name.

        Raises UsageError for an unknown name, PluginError when another package's cannot be imported.
        """
        if name in self._entries:
            module, _, attribute = self._entries[name].partition(":")
            return cast("T", getattr(importlib.import_module(module), attribute))
        if name not in self._plugins:
            raise UsageError(f"unknown {self.kind} {name!r}; choose one of: {', '.join(self.names)}")
        plugin = self._plugins[name]
        try:
            return cast("T", plugin.load())
        except Exception as error:  # whatever another package's module does when it is imported
            raise PluginError(
                f"{self.kind} {name!r}: cannot import {plugin.value}: {' '.join(str(error).split())}; "
                "reinstall the package that provides it"
            ) from error
