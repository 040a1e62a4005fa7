"""Reference pages, generated from ``--help`` and the public docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Final

import click

import fer_edge

__all__ = ["COMMAND_PAGES", "PYTHON_PAGE", "render_commands", "render_python"]

PROGRAMS: Final = ("fer-edge", "fer-train", "fer-convert")
COMMAND_PAGES: Final = tuple(f"commands-{program}" for program in PROGRAMS)
PYTHON_PAGE: Final = "python-reference"
_WIDTH: Final = 96

_FIRST: Final = ("EmotionRecognizer", "ResultStream", "annotate", "read_results", "Classifier", "ModelSpec")
_RESULTS: Final = ("FrameResult", "FaceResult", "EmotionScores", "FaceBox", "Frame", "SkippedInput")


def render_commands() -> dict[str, str]:
    """Return a page per program, with the ``--help`` of each command.

    Keys are the names of the pages, without suffix.
    """
    from fer_convert.cli.main import cli as fer_convert_cli
    from fer_edge.cli.main import cli as fer_edge_cli
    from fer_train.cli.main import cli as fer_train_cli

    clis = dict(zip(PROGRAMS, (fer_edge_cli, fer_train_cli, fer_convert_cli), strict=True))
    return {
        page: f"# {program}\n\n" + "\n".join(_render_command(program, clis[program]))
        for page, program in zip(COMMAND_PAGES, PROGRAMS, strict=True)
    }


def _render_command(name: str, command: click.Command, parent: click.Context | None = None) -> Iterator[str]:
    context = command.make_context(
        name if parent is None else name.rpartition(" ")[2],
        [],
        parent=parent,
        resilient_parsing=True,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
    )
    if parent is not None:
        yield f"## {name}\n"
    yield f"```text\n{command.get_help(context)}\n```\n"
    if isinstance(command, click.Group):
        for part in command.list_commands(context):
            below = command.get_command(context, part)
            if below is not None and not below.hidden:
                yield from _render_command(f"{name} {part}", below, context)


def render_python() -> str:
    """Return the page with the docstring of each name in ``fer_edge.__all__``."""
    errors = [name for name in fer_edge.__all__ if _is_error(name)]
    errors.sort(key=lambda name: [parent.__name__ for parent in getattr(fer_edge, name).__mro__][-4::-1])
    kinds = {
        "Main interface": _FIRST,
        "Results": _RESULTS,
        "Custom detectors and sources": tuple(
            name for name in fer_edge.__all__ if name not in {*_FIRST, *_RESULTS, *errors, "__version__"}
        ),
        "Errors": tuple(errors),
    }
    parts = [
        "# Python reference\n",
        "[Python](python.md) has longer examples, and says which parts of the interface are stable.\n",
    ]
    for title, names in kinds.items():
        parts.append(f"## {title}\n")
        parts += [_render_name(name) for name in names]
    return "\n".join(parts)


def _is_error(name: str) -> bool:
    thing = getattr(fer_edge, name)
    return inspect.isclass(thing) and issubclass(thing, Exception)


def _render_name(name: str) -> str:
    if inspect.isfunction(getattr(fer_edge, name)):
        directive, options = "autofunction", ""
    elif _is_error(name):
        directive, options = "autoclass", "   :show-inheritance:\n"
    else:
        directive, options = "autoclass", "   :members:\n"
    return f"```{{eval-rst}}\n.. {directive}:: fer_edge.{name}\n{options}```\n"
