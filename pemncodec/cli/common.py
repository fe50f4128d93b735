"""Options that several commands have."""

from __future__ import annotations

import click

from ..container.manifest import DEFAULT_MAX_BYTES

force = click.option("-f", "--force", is_flag=True, help="Overwrite an existing output.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
max_bytes = click.option(
    "--max-bytes", type=click.IntRange(min=0), default=DEFAULT_MAX_BYTES, show_default=True, help="Refuse to make more."
)
