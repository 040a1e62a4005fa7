"""Registries of named implementations, imported on first use and open to plugins."""

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
    """Implementations of one kind by name, both built-in and from other packages.

    ``kind`` is the noun used in messages, such as ``detector``. ``entries`` maps each built-in name to
    ``"module:attribute"``. Other packages register theirs in the entry-point group ``group`` of their
    ``pyproject.toml``. Built-in names cannot be replaced.
    """

    def __init__(self, kind: str, group: str, entries: Mapping[str, str]) -> None:
        self.kind, self.group = kind, group
        self._entries = dict(entries)

    @cached_property
    def _plugins(self) -> dict[str, EntryPoint]:
        # Reading the entry points of all installed packages takes about 10 ms, so this is deferred.
        found = {entry.name: entry for entry in entry_points(group=self.group)}
        return {name: found[name] for name in sorted(found) if name not in self._entries}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, built-in ones first."""
        return (*self._entries, *self._plugins)

    def __contains__(self, name: object) -> bool:
        return name in self._entries or name in self._plugins

    def is_plugin(self, name: str) -> bool:
        """Return whether a name is that of another package's implementation."""
        return name not in self._entries and name in self._plugins

    def load(self, name: str) -> T:
        """Import the implementation with a name.

        Raises UsageError if the name is unknown, PluginError if another package's implementation cannot be imported.
        """
        if name in self._entries:
            module, _, attribute = self._entries[name].partition(":")
            return cast("T", getattr(importlib.import_module(module), attribute))
        if name not in self._plugins:
            raise UsageError(f"unknown {self.kind} {name!r}; choose one of: {', '.join(self.names)}")
        plugin = self._plugins[name]
        try:
            return cast("T", plugin.load())
        except Exception as error:  # another package's module may raise anything
            raise PluginError(
                f"{self.kind} {name!r}: cannot import {plugin.value}: {' '.join(str(error).split())}; "
                "reinstall the package that provides it"
            ) from error
