"""Options that several commands have."""

from __future__ import annotations

import click

from ..container.manifest.rows import DEFAULT_MAX_BYTES
from . import endpoints

force = click.option("-f", "--force", is_flag=True, help="Overwrite an existing output.")
base = click.option(
    "--base",
    multiple=True,
    type=endpoints.FILE,
    metavar="FILE",
    help="Base file of a delta; repeat for the bases of that file.",
)
quiet = click.option("-q", "--quiet", is_flag=True, help="Print nothing.")
max_bytes = click.option(
    "--max-bytes",
    type=click.IntRange(min=0),
    default=DEFAULT_MAX_BYTES,
    show_default=True,
    help="Refuse to decode more than this many bytes.",
)
