"""Several sources one after the other, as one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from fer_edge.errors import SourceError
from fer_edge.sources.base import Source, SourceItem
from fer_edge.types import Discontinuity, SkippedInput, StreamInfo

__all__ = ["SourceSequence"]


class SourceSequence:
    """Reads the sources of addresses in order, each opened when its turn comes.

    Before each comes a Discontinuity with its description, after each that gave something one that says so:
    nothing is carried over. One that cannot be opened, or breaks off, is a SkippedInput after what it gave; the
    next one follows.
    """

    def __init__(self, addresses: Sequence[str], create: Callable[[str], Source]) -> None:
        self._addresses, self._create = addresses, create
        self.info = StreamInfo(name=" ".join(addresses))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Each source was closed when it ended."""

    def __iter__(self) -> Iterator[SourceItem]:
        for address in self._addresses:
            begun = False
            try:
                with self._create(address) as source:
                    yield Discontinuity("next source", source.info)
                    for item in source:
                        begun = True
                        yield item
                        del item
            except SourceError as error:
                yield SkippedInput(address, str(error))
                if not begun:
                    continue
            yield Discontinuity("end of source", finished=address)
