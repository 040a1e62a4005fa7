"""Read several sources one after another as one source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

from fer_edge.errors import SourceError
from fer_edge.sources.base import Source, SourceItem
from fer_edge.types import Discontinuity, SkippedInput, StreamInfo

__all__ = ["SourceSequence"]


class SourceSequence:
    """Reads the sources at several addresses in order, opening each in turn.

    A Discontinuity with the source's info precedes each source, and another follows each source that yielded
    anything: no state is carried over. A source that cannot be opened or ends early yields a SkippedInput after its
    last item; reading continues with the next source.
    """

    def __init__(self, addresses: Sequence[str], create: Callable[[str], Source]) -> None:
        self._addresses, self._create = addresses, create
        self.info = StreamInfo(name=" ".join(addresses))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: each source was closed at its end."""

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
