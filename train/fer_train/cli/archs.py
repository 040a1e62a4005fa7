"""``fer-train archs``."""

from __future__ import annotations

import click

from fer_edge.models.spec import FER2013_LABELS
from fer_edge.runtime.tables import format_table
from fer_train.cli.options import debug_option, require_keras
from fer_train.models.registry import ARCHITECTURES
from fer_train.native_stderr import suppress_native_stderr

__all__ = ["list_archs"]


@click.command("archs")
@debug_option
def list_archs(debug: bool) -> None:
    """List the architectures with their size and purpose."""
    with suppress_native_stderr(debug):
        require_keras()
        from fer_train.models.complexity import measure_complexity

        rows = []
        for name in ARCHITECTURES.names:
            arch = ARCHITECTURES.load(name)
            found = measure_complexity(arch.build(len(FER2013_LABELS)))
            rows.append((name, f"{found.parameters:,}", f"{found.macs / 1e6:.1f} M", f"  {arch.purpose}"))
    click.echo("\n".join(format_table(("", "parameters", "multiply-adds", ""), rows, left=(0, 3))))
